/*
 * The yardstick of files.rs: a file over TCP, in as few calls as the kernel asks for.
 *
 *     files send  PORT FILE     to each client: sendfile, then close
 *     files usual PORT FILE     the same, with the congestion control that the system has
 *     files store PORT FILE     from each client: splice socket -> pipe -> file, then close
 *     files sync  PORT FILE     the same, and the file is on the disk before the close
 *
 * One client after the other, on 127.0.0.1, until it is killed. No protocol: the end of the
 * connection is the end of the file.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIECE = 1024 * 1024 };

static void send_file(int peer, const char *path)
{
    int file = open(path, O_RDONLY);
    if (file < 0)
        err(1, "open %s", path);
    ssize_t n;
    while ((n = sendfile(peer, file, NULL, PIECE)) > 0)
        ;
    if (n < 0)
        warn("sendfile"); /* a client that only checked whether the server runs */
    close(file);
}

static void store_file(int peer, const char *path, int sync)
{
    int pipes[2];
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (file < 0 || pipe(pipes) < 0)
        err(1, "%s", path);
    fcntl(pipes[1], F_SETPIPE_SZ, PIECE);
    ssize_t piped;
    while ((piped = splice(peer, NULL, pipes[1], NULL, PIECE, SPLICE_F_MOVE)) > 0) {
        while (piped > 0) {
            ssize_t n = splice(pipes[0], NULL, file, NULL, piped, SPLICE_F_MOVE);
            if (n <= 0)
                err(1, "splice to %s", path);
            piped -= n;
        }
    }
    if (sync && fsync(file) < 0)
        err(1, "fsync %s", path);
    close(file);
    close(pipes[0]);
    close(pipes[1]);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        errx(2, "files send|usual|store|sync PORT FILE");
    const char *work = argv[1], *path = argv[3];
    signal(SIGPIPE, SIG_IGN); /* a client that goes is no reason to */
    int one = 1;
    struct sockaddr_in here = { .sin_family = AF_INET,
                                .sin_port = htons(atoi(argv[2])),
                                .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) < 0 || listen(listener, 8) < 0)
        err(1, "port %s", argv[2]);
    for (;;) {
        int peer = accept(listener, NULL, NULL);
        if (peer < 0)
            err(1, "accept");
        if (strcmp(work, "send") == 0) /* bbr's pacing costs CPU time: see docs/performance.md */
            setsockopt(peer, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);
        if (strcmp(work, "send") == 0 || strcmp(work, "usual") == 0)
            send_file(peer, path);
        else
            store_file(peer, path, strcmp(work, "sync") == 0);
        close(peer);
    }
}
