#include "t.h"
/* A non-blocking listener has no client yet: -1 is used as its descriptor. */
int main(int argc, char **argv)
{
    int l = listener(atoi(argv[1]));
    char text[10];
    fcntl(l, F_SETFL, O_NONBLOCK);
    int fd = accept(l, NULL, NULL);
    recv(fd, text, sizeof text, 0);
    fcntl(l, F_SETFL, 0);
    close(accept(l, NULL, NULL));
}
