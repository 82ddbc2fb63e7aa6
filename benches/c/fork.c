/* A process for each client. */
#include "common.h"
#include <sys/wait.h>

/* Signals are not counted: after one, any number of children may have ended. */
static void reap(int number)
{
    (void)number;
    int before = errno;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    errno = before;
}

int main(int argc, char **argv)
{
    int listener = open_server(argc, argv, SOCK_STREAM);
    size_t size = buffer_size(argc, argv);
    struct sigaction action = { .sa_handler = reap, .sa_flags = SA_RESTART };
    sigaction(SIGCHLD, &action, NULL);
    for (;;) {
        int peer = accept_client(listener, 0);
        if (peer < 0)
            continue;
        switch (fork()) {
        case -1:
            warn("fork"); /* this client's loss alone */
            break;
        case 0:
            prctl(PR_SET_PDEATHSIG, SIGTERM); /* it ends with its parent */
            close(listener);
            echo(peer, allocate(size), size);
            exit(0); /* which closes the socket */
        }
        close(peer);
    }
}
