#include "t.h"
/* A program that it starts keeps the client's socket for a second. */
int main(int argc, char **argv)
{
    int l = listener(atoi(argv[1])), fd = accept(l, NULL, NULL);
    char text[100];
    write(fd, text, read(fd, text, sizeof text));
    if (fork() == 0) {
        execl("/bin/sleep", "sleep", "1", (char *)NULL);
        _exit(1);
    }
    close(fd);
    wait(NULL);
}
