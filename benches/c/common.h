/*
 * What the servers of this folder share and none is about: the opening, accept, and the loop that
 * serves one client to its end.
 *
 * The folder has a plain C server for each model of netplay: the yardstick of benches/models.rs.
 * They do what netplay's do, with the same calls, in the way a good textbook would; so what a
 * request costs more there is what Rust and the record cost.
 *
 *     cc -O2 -pthread -o epoll epoll.c
 *     ./epoll PORT [BUFSIZE [WORKERS]]         127.0.0.1, echo, until SIGTERM; PORT 0: any
 *
 * One client's failure never ends a server; its listener's does. There is no clean-up at the end:
 * SIGTERM does what it does to any program.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

/* BUFSIZE, and 1 KiB if there is none. Large transfers want 64 KiB. */
static inline size_t buffer_size(int argc, char **argv)
{
    size_t size = argc > 2 ? strtoul(argv[2], NULL, 10) : 1024;
    if (size == 0)
        errx(2, "a buffer has a byte at least");
    return size;
}

/* WORKERS, for those that have some. */
static inline int workers(int argc, char **argv)
{
    return argc > 3 ? atoi(argv[3]) : 8;
}

static inline void *allocate(size_t size)
{
    void *memory = malloc(size);
    if (!memory)
        err(1, "malloc");
    return memory;
}

/* A socket at 127.0.0.1:PORT: it listens, if it is one for connections. */
static inline int open_server(int argc, char **argv, int type)
{
    if (argc < 2)
        errx(2, "usage: %s PORT [BUFSIZE [WORKERS]]", argv[0]);
    struct sockaddr_in here = { .sin_family = AF_INET,
                                .sin_port = htons(atoi(argv[1])),
                                .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t size = sizeof here;
    int fd = socket(AF_INET, type, 0), one = 1, is_tcp = (type & SOCK_STREAM) != 0;
    if (fd < 0)
        err(1, "socket");
    /* Over UDP it would let a second server take the same port. */
    if (is_tcp)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&here, size) < 0)
        err(1, "bind port %s", argv[1]);
    if (is_tcp && listen(fd, BACKLOG) < 0)
        err(1, "listen");
    getsockname(fd, (struct sockaddr *)&here, &size);
    printf("ready: %s 127.0.0.1:%d\n", is_tcp ? "tcp" : "udp", ntohs(here.sin_port));
    fflush(stdout);
    return fd;
}

/* The next client; -1 if it is gone, or there is no room for it now. The flags are accept4's. */
static inline int accept_client(int listener, int flags)
{
    struct sockaddr_storage name;
    socklen_t size = sizeof name;
    int peer = accept4(listener, (struct sockaddr *)&name, &size, flags | SOCK_CLOEXEC);
    if (peer >= 0)
        return peer;
    switch (errno) {
    case EMFILE: case ENFILE: case ENOBUFS: case ENOMEM:
        warn("accept"); /* the client stays in the queue until another leaves */
        usleep(10 * 1000);
        return -1;
    case EBADF: case EFAULT: case EINVAL: case ENOTSOCK:
        err(1, "accept"); /* the listener's own fault */
    default:
        return -1;
    }
}

/* All of it: one send may take less. MSG_NOSIGNAL: a peer that is gone is an error, not our end. */
static inline int send_all(int peer, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = send(peer, data, size, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        data += n;
        size -= n;
    }
    return 0;
}

/* Sends back what arrives, until the peer sends no more. */
static inline void echo(int peer, char *buf, size_t size)
{
    for (;;) {
        ssize_t n = recv(peer, buf, size, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || send_all(peer, buf, n) < 0)
            return;
    }
}
