/* A list instead of a set: list[0] is the listener, list[i + 1] belongs to clients[i]. */
#include "client.h"
#include <poll.h>

static void *grow(void *memory, size_t size)
{
    memory = realloc(memory, size);
    if (!memory)
        err(1, "realloc");
    return memory;
}

int main(int argc, char **argv)
{
    int listener = open_server(argc, argv, SOCK_STREAM | SOCK_NONBLOCK);
    size_t size = buffer_size(argc, argv);
    char *buf = allocate(size);
    int count = 0, room = 16;
    struct client *clients = allocate(room * sizeof *clients);
    struct pollfd *list = allocate((room + 1) * sizeof *list);
    list[0] = (struct pollfd){ .fd = listener, .events = POLLIN };
    for (;;) {
        if (poll(list, count + 1, -1) < 0) {
            if (errno == EINTR)
                continue;
            err(1, "poll");
        }
        if (list[0].revents) {
            int peer = accept_client(listener, SOCK_NONBLOCK);
            if (peer >= 0 && count == room) {
                room *= 2;
                clients = grow(clients, room * sizeof *clients);
                list = grow(list, (room + 1) * sizeof *list);
            }
            if (peer >= 0) {
                clients[count++] = new_client(peer);
                list[count] = (struct pollfd){ .fd = peer, .events = POLLIN };
            }
        }
        for (int i = 0; i < count;) {
            struct client *client = &clients[i];
            struct pollfd *entry = &list[i + 1];
            int ended = 0;
            if (entry->revents & POLLOUT)
                ended = client_write(client);
            else if (entry->revents) /* also after POLLERR and POLLHUP: recv tells */
                ended = client_read(client, buf, size);
            if (ended) {
                end_client(client); /* and the last one moves into the gap */
                *client = clients[--count];
                *entry = list[count + 1];
                continue;
            }
            entry->events = client->owed ? POLLOUT : POLLIN;
            i++;
        }
    }
}
