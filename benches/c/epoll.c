/* The list stays in the kernel, level-triggered. */
#include "client.h"
#include <sys/epoll.h>

enum { EVENTS = 256 };

static void ask(int epoll, int operation, struct client *client, uint32_t events)
{
    struct epoll_event event = { .events = events, .data = { .ptr = client } };
    if (epoll_ctl(epoll, operation, client->fd, &event) < 0)
        err(1, "epoll_ctl");
}

int main(int argc, char **argv)
{
    struct client listener = new_client(open_server(argc, argv, SOCK_STREAM | SOCK_NONBLOCK));
    size_t size = buffer_size(argc, argv);
    char *buf = allocate(size);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        err(1, "epoll_create1");
    ask(epoll, EPOLL_CTL_ADD, &listener, EPOLLIN);
    for (;;) {
        struct epoll_event events[EVENTS];
        int n = epoll_wait(epoll, events, EVENTS, -1);
        if (n < 0 && errno != EINTR)
            err(1, "epoll_wait");
        for (int i = 0; i < n; i++) {
            struct client *client = events[i].data.ptr;
            if (client == &listener) {
                int peer = accept_client(listener.fd, SOCK_NONBLOCK);
                if (peer < 0)
                    continue;
                client = allocate(sizeof *client);
                *client = new_client(peer);
                ask(epoll, EPOLL_CTL_ADD, client, EPOLLIN);
                continue;
            }
            int was_owed = client->owed != NULL, ended;
            if (events[i].events & EPOLLOUT)
                ended = client_write(client);
            else /* also after EPOLLERR and EPOLLHUP: recv tells */
                ended = client_read(client, buf, size);
            if (ended) {
                end_client(client); /* which takes it off the list */
                free(client);
            } else if (was_owed != (client->owed != NULL)) {
                ask(epoll, EPOLL_CTL_MOD, client, client->owed ? EPOLLOUT : EPOLLIN);
            }
        }
    }
}
