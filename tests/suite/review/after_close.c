#include "t.h"
/* Receives from a socket that it has closed. */
int main(int argc, char **argv)
{
    int l = listener(atoi(argv[1])), fd = accept(l, NULL, NULL);
    char text[100];
    close(fd);
    recv(fd, text, sizeof text, 0);
    close(l);
}
