/* Socket calls in every form, in one process: calls MODE. All peers are sockets of its own. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_in name;
static socklen_t len = sizeof name;

static void must(int done, const char *what) {
    if (done < 0) { perror(what); exit(1); }
}

static int listener(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    must(fd, "socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    memset(&name, 0, sizeof name);
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    must(bind(fd, (struct sockaddr *)&name, sizeof name), "bind");
    must(listen(fd, 5), "listen");
    len = sizeof name;
    must(getsockname(fd, (struct sockaddr *)&name, &len), "getsockname");
    return fd;
}

/* A connection to itself: both ends. */
static void pair(int ends[2]) {
    int fd = listener();
    ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(connect(ends[0], (struct sockaddr *)&name, sizeof name), "connect");
    struct sockaddr_in peer;
    socklen_t room = sizeof peer;
    ends[1] = accept(fd, (struct sockaddr *)&peer, &room);
    must(ends[1], "accept");
    close(fd);
}

static int datagrams(struct sockaddr_in *at) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    memset(at, 0, sizeof *at);
    at->sin_family = AF_INET;
    at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    must(bind(fd, (struct sockaddr *)at, sizeof *at), "bind");
    socklen_t room = sizeof *at;
    getsockname(fd, (struct sockaddr *)at, &room);
    return fd;
}

static void stream(void) {
    int fd[2], room = 0;
    char text[100];
    pair(fd);
    struct sockaddr_in peer;
    socklen_t len = sizeof peer;
    getpeername(fd[1], (struct sockaddr *)&peer, &len);
    send(fd[0], "hello", 5, 0);
    recv(fd[1], text, 2, MSG_PEEK);
    ioctl(fd[1], FIONREAD, &room);
    recv(fd[1], text, sizeof text, 0);
    write(fd[1], "one\ntwo\0three", 13);
    read(fd[0], text, 4);
    read(fd[0], text, sizeof text);
    memset(text, 'x', sizeof text);
    write(fd[1], text, sizeof text);
    recv(fd[0], text, sizeof text, MSG_WAITALL);
    struct iovec parts[3] = {{"first ", 6}, {"", 0}, {"second", 6}};
    writev(fd[0], parts, 3);
    char one[4], two[20];
    struct iovec into[2] = {{one, sizeof one}, {two, sizeof two}};
    readv(fd[1], into, 2);
    fcntl(fd[1], F_SETFL, fcntl(fd[1], F_GETFL) | O_NONBLOCK);
    recv(fd[1], text, sizeof text, 0);
    recv(fd[0], text, sizeof text, MSG_DONTWAIT);
    send(fd[0], "!", 1, MSG_OOB);
    shutdown(fd[0], SHUT_WR);
    recv(fd[1], text, sizeof text, MSG_OOB);
    recv(fd[1], text, sizeof text, 0);
    shutdown(fd[1], SHUT_RDWR);
    shutdown(fd[1], 7);
    close(fd[0]);
    close(fd[1]);
}

static void copies(void) {
    int fd[2], file = open("/dev/null", O_RDWR);
    char text[10];
    pair(fd);
    int copy = dup(fd[0]);
    dup2(fd[0], 20);
    dup2(copy, copy);
    dup3(fd[0], 21, O_CLOEXEC);
    dup3(fd[0], fd[0], 0);
    int high = fcntl(fd[0], F_DUPFD, 50);
    fcntl(fd[0], F_DUPFD_CLOEXEC, 60);
    fcntl(fd[0], F_SETFD, FD_CLOEXEC);
    fcntl(fd[0], F_GETFD);
    write(20, "a", 1);
    write(high, "b", 1);
    read(fd[1], text, sizeof text);
    dup2(file, 20); /* a file takes the place of a socket */
    write(20, "c", 1);
    dup2(fd[0], file); /* and a socket that of a file */
    write(file, "d", 1);
    int again = open("/dev/null", O_RDWR);
    write(again, "e", 1);
    close(again);
    int same = socket(AF_UNIX, SOCK_DGRAM, 0); /* the number that the file had */
    send(same, "f", 1, 0);
    close_range(20, 100, 0);
    close(20);
    int pipes[2];
    if (pipe(pipes) == 0) write(pipes[1], "g", 1);
    close(fd[1]);
    close(same);
}

static void messages(void) {
    struct sockaddr_in at, from;
    int in = datagrams(&at), out = socket(AF_INET, SOCK_DGRAM, 0);
    char text[4][20], control[100];
    socklen_t room = sizeof from;
    sendto(out, "one", 3, 0, (struct sockaddr *)&at, sizeof at);
    recvfrom(in, text, sizeof text, 0, (struct sockaddr *)&from, &room);
    sendto(out, "cut off", 7, 0, (struct sockaddr *)&at, sizeof at);
    recvfrom(in, text, 3, MSG_TRUNC, NULL, NULL);
    sendto(out, "", 0, 0, (struct sockaddr *)&at, sizeof at);
    room = 2;
    recvfrom(in, text, 3, 0, (struct sockaddr *)&from, &room);
    struct iovec parts[2] = {{"two ", 4}, {"parts", 5}};
    struct msghdr header = {.msg_name = &at, .msg_namelen = sizeof at, .msg_iov = parts, .msg_iovlen = 2};
    sendmsg(out, &header, MSG_NOSIGNAL);
    struct iovec into[2] = {{text[0], 2}, {text[1], 20}};
    struct msghdr got = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = into, .msg_iovlen = 2,
                         .msg_control = control, .msg_controllen = sizeof control};
    recvmsg(in, &got, 0);
    struct msghdr plain = {.msg_iov = into, .msg_iovlen = 1};
    sendto(out, "too long", 8, 0, (struct sockaddr *)&at, sizeof at);
    recvmsg(in, &plain, 0);
    recvmsg(in, &plain, MSG_DONTWAIT);
    struct mmsghdr many[3];
    memset(many, 0, sizeof many);
    for (int i = 0; i < 3; i++) many[i].msg_hdr = (struct msghdr){.msg_name = &at, .msg_namelen = sizeof at, .msg_iov = parts + i % 2, .msg_iovlen = 1};
    sendmmsg(out, many, 3, 0);
    struct iovec each[4];
    struct mmsghdr come[4];
    struct sockaddr_in names[4];
    memset(come, 0, sizeof come);
    for (int i = 0; i < 4; i++) {
        each[i] = (struct iovec){text[i], 20};
        come[i].msg_hdr = (struct msghdr){.msg_name = names + i, .msg_namelen = sizeof names[i], .msg_iov = each + i, .msg_iovlen = 1};
    }
    recvmmsg(in, come, 4, MSG_DONTWAIT, NULL);
    struct timespec time = {5, 0};
    sendto(out, "again", 5, 0, (struct sockaddr *)&at, sizeof at);
    recvmmsg(in, come, 4, MSG_WAITFORONE, &time);
}

static void passes(void) {
    int ends[2], file = open("/dev/null", O_WRONLY), fd[2];
    pair(fd);
    socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    char control[CMSG_SPACE(2 * sizeof(int))], text[10];
    memset(control, 0, sizeof control);
    struct iovec one = {"x", 1};
    struct msghdr header = {.msg_iov = &one, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(2 * sizeof(int));
    memcpy(CMSG_DATA(rights), (int[]){fd[0], file}, 2 * sizeof(int));
    sendmsg(ends[0], &header, 0);
    close(file);
    struct iovec into = {text, sizeof text};
    struct msghdr got = {.msg_iov = &into, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    recvmsg(ends[1], &got, MSG_CMSG_CLOEXEC);
    int came[2];
    memcpy(came, CMSG_DATA(CMSG_FIRSTHDR(&got)), sizeof came);
    write(came[0], "through the copy", 16);
    write(came[1], "to a file", 9);
    read(fd[1], text, sizeof text);
    struct ucred who;
    socklen_t len = sizeof who;
    getsockopt(ends[0], SOL_SOCKET, SO_PEERCRED, &who, &len);
    close(came[0]);
    close(came[1]);
}

static void files(void) {
    int fd[2], file = open("/proc/self/exe", O_RDONLY), pipes[2];
    char text[4096];
    pair(fd);
    off_t from = 100;
    sendfile(fd[0], file, &from, 1000);
    sendfile(fd[0], file, NULL, 10);
    recv(fd[1], text, 1010, MSG_WAITALL);
    pipe(pipes);
    write(pipes[1], "spliced", 7);
    splice(pipes[0], NULL, fd[0], NULL, 7, 0);
    recv(fd[1], text, 7, MSG_WAITALL);
    send(fd[1], "back", 4, 0);
    splice(fd[0], NULL, pipes[1], NULL, 4, SPLICE_F_MOVE);
    read(pipes[0], text, 4);
    read(file, text, sizeof text);
    lseek(file, 0, SEEK_SET);
    close(file);
}

static void waits(void) {
    int fd[2];
    char text[10];
    pair(fd);
    struct pollfd both[3] = {{fd[0], POLLIN | POLLOUT, 0}, {fd[1], POLLIN | POLLRDHUP, 0}, {-1, POLLIN, 0}};
    poll(both, 3, 1000);
    poll(both + 1, 1, 0);
    send(fd[0], "hello", 5, 0);
    poll(both, 2, -1);
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    struct timespec time = {5, 500};
    ppoll(both + 1, 1, &time, &mask);
    ppoll(both + 1, 1, NULL, NULL);
    fd_set reads, writes;
    FD_ZERO(&reads); FD_SET(fd[0], &reads); FD_SET(fd[1], &reads);
    FD_ZERO(&writes); FD_SET(fd[1], &writes);
    select(fd[1] + 1, &reads, &writes, NULL, NULL);
    FD_ZERO(&reads); FD_SET(fd[0], &reads);
    struct timeval soon = {0, 1000};
    select(fd[0] + 1, &reads, NULL, NULL, &soon);
    FD_ZERO(&reads); FD_SET(fd[1], &reads);
    pselect(fd[1] + 1, &reads, NULL, NULL, &time, &mask);
    int list = epoll_create1(EPOLL_CLOEXEC), old = epoll_create(5);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = 0x100000007}, came[4];
    epoll_ctl(list, EPOLL_CTL_ADD, fd[1], &event);
    epoll_ctl(list, EPOLL_CTL_ADD, fd[1], &event);
    event.events = EPOLLOUT | EPOLLONESHOT;
    epoll_ctl(list, EPOLL_CTL_ADD, fd[0], &event);
    epoll_wait(list, came, 4, -1);
    epoll_pwait(list, came, 4, 0, &mask);
    event.events = 0;
    epoll_ctl(list, EPOLL_CTL_MOD, fd[0], &event);
    epoll_ctl(list, EPOLL_CTL_DEL, fd[0], NULL);
    epoll_ctl(list, EPOLL_CTL_DEL, fd[0], NULL);
    epoll_wait(fd[0], came, 4, 0);
    close(old);
    close(list);
    shutdown(fd[0], SHUT_RDWR);
    recv(fd[1], text, sizeof text, 0);
    poll(both, 2, 0);
}

/* Waits for a client that does not come. */
static void listens(void) {
    struct pollfd one = {listener(), POLLIN, 0};
    poll(&one, 1, 2000);
    close(one.fd);
}

static void options(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1, value = 0;
    socklen_t len = sizeof value;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &len);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){5000}, sizeof on);
    getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, &len);
    struct linger gone = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &gone, sizeof gone);
    len = sizeof gone;
    getsockopt(fd, SOL_SOCKET, SO_LINGER, &gone, &len);
    struct timeval time = {2, 500000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    len = sizeof value;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &len);
    getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &len);
    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &len);
    setsockopt(fd, SOL_SOCKET, 9999, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, 7777, &on, sizeof on);
    getsockopt(fd, SOL_SOCKET, 9999, &value, &len);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, 1);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, NULL, sizeof on);
    ioctl(fd, FIONBIO, &on);
    close(fd);
}

static void errors(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char text[10], *volatile wild = (char *)8;
    int fd = listener(), file = open("/dev/null", O_RDWR), other = socket(AF_INET, SOCK_STREAM, 0);
    recv(99, text, sizeof text, 0);
    read(99, text, sizeof text);
    read(-1, text, sizeof text);
    write(-1, "x", 1);
    close(99);
    close(-1);
    send(file, "x", 1, 0);
    bind(file, (struct sockaddr *)&at, sizeof at);
    bind(other, (struct sockaddr *)&at, 3);
    bind(other, (struct sockaddr *)&name, sizeof name); /* EADDRINUSE */
    bind(other, NULL, sizeof name);
    connect(other, (struct sockaddr *)&name, 1);
    accept(other, NULL, NULL);
    recv(other, text, sizeof text, 0);
    send(other, "x", 1, MSG_NOSIGNAL);
    getpeername(other, (struct sockaddr *)&at, &len);
    shutdown(other, SHUT_WR);
    socket(77, SOCK_STREAM, 0);
    socket(AF_INET, SOCK_STREAM, 200);
    socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_UDP);
    close(fd);
    connect(other, (struct sockaddr *)&name, sizeof name); /* ECONNREFUSED */
    sendto(file, "x", 1, 0, (struct sockaddr *)&name, sizeof name);
    fcntl(other, 9999);
    fcntl(98, F_GETFL);
    dup(98);
    dup2(98, 30);
    int unconnected = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un nowhere = {.sun_family = AF_UNIX, .sun_path = "/nonexistent/socket"};
    connect(unconnected, (struct sockaddr *)&nowhere, sizeof nowhere);
    struct sockaddr_un abstract = {.sun_family = AF_UNIX};
    strcpy(abstract.sun_path + 1, "netplay of calls.c");
    bind(unconnected, (struct sockaddr *)&abstract, sizeof(sa_family_t) + 19);
    recvfrom(unconnected, text, sizeof text, MSG_DONTWAIT, NULL, NULL);
    write(other, wild, 5);
    send(fd, "closed", 6, 0);
}

int main(int argc, char **argv) {
    const struct { const char *name; void (*run)(void); } modes[] = {
        {"stream", stream}, {"copies", copies}, {"messages", messages}, {"passes", passes}, {"files", files},
        {"waits", waits}, {"listens", listens}, {"options", options}, {"errors", errors},
    };
    signal(SIGPIPE, SIG_IGN);
    for (unsigned i = 0; i < sizeof modes / sizeof *modes; i++)
        if (argc > 1 && strcmp(argv[1], modes[i].name) == 0) return modes[i].run(), 0;
    return 2;
}
