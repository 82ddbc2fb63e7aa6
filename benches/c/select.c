/* One thread asks who is ready: the sets are made anew for every turn. */
#include "client.h"
#include <sys/select.h>

int main(int argc, char **argv)
{
    int listener = open_server(argc, argv, SOCK_STREAM | SOCK_NONBLOCK);
    size_t size = buffer_size(argc, argv);
    char *buf = allocate(size);
    struct client clients[FD_SETSIZE]; /* no set has room for more */
    int count = 0;
    for (;;) {
        fd_set reads, writes;
        FD_ZERO(&reads);
        FD_ZERO(&writes);
        FD_SET(listener, &reads);
        int highest = listener;
        for (int i = 0; i < count; i++) {
            FD_SET(clients[i].fd, clients[i].owed ? &writes : &reads);
            if (clients[i].fd > highest)
                highest = clients[i].fd;
        }
        if (select(highest + 1, &reads, &writes, NULL, NULL) < 0) {
            if (errno == EINTR)
                continue;
            err(1, "select");
        }
        for (int i = 0; i < count;) {
            struct client *client = &clients[i];
            int ended = 0;
            if (FD_ISSET(client->fd, &writes))
                ended = client_write(client);
            else if (FD_ISSET(client->fd, &reads))
                ended = client_read(client, buf, size);
            if (ended) {
                end_client(client);
                *client = clients[--count];
            } else {
                i++;
            }
        }
        /* Last: a new client must not take the number, and the bit, of one that has just left. */
        if (FD_ISSET(listener, &reads)) {
            int peer = accept_client(listener, SOCK_NONBLOCK);
            if (peer >= FD_SETSIZE)
                close(peer);
            else if (peer >= 0)
                clients[count++] = new_client(peer);
        }
    }
}
