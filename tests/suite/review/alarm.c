#include "t.h"
/* A client that is silent for a second is sent away: EINTR of alarm. */
static void hear(int n) { (void)n; }
int main(int argc, char **argv)
{
    struct sigaction a = { .sa_handler = hear };
    int l = listener(atoi(argv[1])), fd, n;
    char text[100];
    sigaction(SIGALRM, &a, NULL);
    for (;;) {
        fd = accept(l, NULL, NULL);
        alarm(1);
        while ((n = recv(fd, text, sizeof text, 0)) > 0)
            send(fd, text, n, MSG_NOSIGNAL);
        alarm(0);
        close(fd);
    }
}
