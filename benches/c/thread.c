/* A thread for each client. */
#include "common.h"
#include <pthread.h>
#include <stdint.h>

static size_t size;

static void *serve(void *peer_as_pointer)
{
    int peer = (int)(intptr_t)peer_as_pointer;
    char *buf = allocate(size);
    echo(peer, buf, size);
    close(peer);
    free(buf);
    return NULL;
}

int main(int argc, char **argv)
{
    int listener = open_server(argc, argv, SOCK_STREAM);
    size = buffer_size(argc, argv);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED); /* it is never joined */
    /* A conversation needs little; and glibc keeps 40 MiB of used stacks for the next threads,
     * which is 160 of these, but only five of the usual ones of 8 MiB. */
    pthread_attr_setstacksize(&attributes, 256 * 1024);
    for (;;) {
        int peer = accept_client(listener, 0);
        if (peer < 0)
            continue;
        pthread_t thread;
        errno = pthread_create(&thread, &attributes, serve, (void *)(intptr_t)peer);
        if (errno) {
            warn("pthread_create"); /* this client's loss alone */
            close(peer);
        }
    }
}
