#include "t.h"
int main(int argc, char **argv)
{
    int fd = bound(SOCK_DGRAM, atoi(argv[1]));
    char text[10];
    recv(fd, text, sizeof text, 0);
    recv(fd, text, sizeof text, 0);
}
