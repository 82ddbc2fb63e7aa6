#include "t.h"
/* Another program has the client as its input and output. */
int main(int argc, char **argv)
{
    int l = listener(atoi(argv[1]));
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int fd = accept(l, NULL, NULL);
        if (fork() == 0) {
            close(l);
            dup2(fd, 0);
            dup2(fd, 1);
            close(fd);
            execl("/bin/cat", "cat", (char *)NULL);
            _exit(1);
        }
        close(fd);
    }
}
