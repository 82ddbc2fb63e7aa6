#include "t.h"
/* Asks six clients in turn, without a wait. */
int main(int argc, char **argv)
{
    int l = listener(atoi(argv[1])), fds[6];
    char text[100];
    for (int n = 0; n < 6; n++)
        fds[n] = accept4(l, NULL, NULL, SOCK_NONBLOCK);
    for (int turn = 0; turn < 400; turn++)
        for (int n = 0; n < 6; n++)
            read(fds[n], text, sizeof text);
}
