/* One client after the other. */
#include "common.h"

int main(int argc, char **argv)
{
    int listener = open_server(argc, argv, SOCK_STREAM);
    size_t size = buffer_size(argc, argv);
    char *buf = allocate(size);
    for (;;) {
        int peer = accept_client(listener, 0);
        if (peer < 0)
            continue;
        echo(peer, buf, size);
        close(peer);
    }
}
