/* A few processes, made before the first client comes; all of them accept. */
#include "common.h"
#include <sys/wait.h>

static void work(int listener, size_t size)
{
    char *buf = allocate(size);
    for (;;) {
        int peer = accept_client(listener, 0);
        if (peer < 0)
            continue;
        echo(peer, buf, size);
        close(peer);
    }
}

static void start_worker(int listener, size_t size)
{
    pid_t child = fork();
    if (child < 0)
        err(1, "fork");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM); /* it ends with its parent */
        work(listener, size);
    }
}

int main(int argc, char **argv)
{
    int listener = open_server(argc, argv, SOCK_STREAM);
    size_t size = buffer_size(argc, argv);
    for (int i = 0; i < workers(argc, argv); i++)
        start_worker(listener, size);
    while (wait(NULL) > 0)
        start_worker(listener, size); /* a successor */
    err(1, "wait");
}
