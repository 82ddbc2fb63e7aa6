#include "t.h"
/* A client that is silent for too long is sent away: EAGAIN of SO_RCVTIMEO. */
int main(int argc, char **argv)
{
    int l = listener(atoi(argv[1]));
    struct timeval limit = { 0, 100000 };
    for (;;) {
        int fd = accept(l, NULL, NULL), n;
        char text[100];
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        while ((n = read(fd, text, sizeof text)) > 0)
            write(fd, text, n);
        close(fd);
    }
}
