#include "t.h"
/* Sends to the port without htons. */
int main(int argc, char **argv)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in a = at(0);
    a.sin_port = atoi(argv[1]);
    sendto(fd, "hello", 5, 0, (struct sockaddr *)&a, sizeof a);
    close(fd);
}
