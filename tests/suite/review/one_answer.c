#include "t.h"
/* Takes whatever came in one recv for one command. */
int main(int argc, char **argv)
{
    int l = listener(atoi(argv[1]));
    for (;;) {
        int fd = accept(l, NULL, NULL), n;
        char text[500];
        usleep(200000);
        while ((n = recv(fd, text, sizeof text, 0)) > 0)
            send(fd, "ok\n", 3, MSG_NOSIGNAL);
        close(fd);
    }
}
