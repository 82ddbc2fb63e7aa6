#include "t.h"
/* Asks a listener and a client again and again, without a wait. */
int main(int argc, char **argv)
{
    int l = listener(atoi(argv[1])), fd = accept(l, NULL, NULL), n;
    char text[100];
    fcntl(l, F_SETFL, O_NONBLOCK);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    while ((n = read(fd, text, sizeof text)) < 0)
        accept(l, NULL, NULL);
    write(fd, text, n);
    close(fd);
}
