/* A few threads, made before the first client comes; all of them accept. */
#include "common.h"
#include <pthread.h>

static int listener;
static size_t size;

static void *work(void *nothing)
{
    (void)nothing;
    char *buf = allocate(size);
    for (;;) {
        int peer = accept_client(listener, 0);
        if (peer < 0)
            continue;
        echo(peer, buf, size);
        close(peer);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    listener = open_server(argc, argv, SOCK_STREAM);
    size = buffer_size(argc, argv);
    for (int i = 0; i < workers(argc, argv); i++) {
        pthread_t thread;
        errno = pthread_create(&thread, NULL, work, NULL);
        if (errno)
            err(1, "pthread_create");
    }
    for (;;)
        pause(); /* for SIGTERM */
}
