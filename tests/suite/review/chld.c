#include "t.h"
/* A child ends while a client is served: EINTR is taken for the end. */
static void hear(int n) { (void)n; while (waitpid(-1, NULL, WNOHANG) > 0) ; }
int main(int argc, char **argv)
{
    struct sigaction a = { .sa_handler = hear };
    int l = listener(atoi(argv[1])), fd, n;
    char text[100];
    sigaction(SIGCHLD, &a, NULL);
    fd = accept(l, NULL, NULL);
    if (fork() == 0) {
        usleep(150000);
        _exit(0);
    }
    while ((n = recv(fd, text, sizeof text, 0)) > 0)
        send(fd, text, n, MSG_NOSIGNAL);
    close(fd);
    close(accept(l, NULL, NULL));
}
