#include "t.h"
/* EAGAIN is taken for an error of the connection. */
int main(int argc, char **argv)
{
    int l = listener(atoi(argv[1]));
    for (;;) {
        int fd = accept4(l, NULL, NULL, SOCK_NONBLOCK), n;
        char text[100];
        for (;;) {
            n = read(fd, text, sizeof text);
            if (n <= 0)
                break;
            write(fd, text, n);
        }
        close(fd);
    }
}
