/*
 * A client of a server that never waits for it, for select, poll and epoll: its socket, and what of
 * an answer the kernel did not take. While it is owed something it is not listened to; so the rest
 * of one answer is all that ever waits.
 */
#include "common.h"

struct client {
    int fd;
    char *owed; /* NULL: nothing */
    size_t from, to;
};

/* A socket without O_NONBLOCK could block although it was ready: readiness is a hint. */
static inline struct client new_client(int fd)
{
    return (struct client){ .fd = fd };
}

/* Sends as much as the kernel takes: -1 is the client's end. */
static inline ssize_t send_some(int fd, const char *data, size_t size)
{
    ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    return n;
}

/* Receives once and sends the answer, as far as the kernel takes it: -1 is the client's end. */
static inline int client_read(struct client *client, char *buf, size_t size)
{
    ssize_t n = recv(client->fd, buf, size, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0)
        return -1;
    ssize_t taken = send_some(client->fd, buf, n);
    if (taken < 0)
        return -1;
    if (taken < n) {
        client->owed = memcpy(allocate(n - taken), buf + taken, n - taken);
        client->from = 0;
        client->to = n - taken;
    }
    return 0;
}

/* Sends what is owed, as far as the kernel takes it: -1 is the client's end. */
static inline int client_write(struct client *client)
{
    ssize_t taken = send_some(client->fd, client->owed + client->from, client->to - client->from);
    if (taken < 0)
        return -1;
    client->from += taken;
    if (client->from == client->to) {
        free(client->owed);
        client->owed = NULL;
    }
    return 0;
}

static inline void end_client(struct client *client)
{
    close(client->fd);
    free(client->owed);
}
