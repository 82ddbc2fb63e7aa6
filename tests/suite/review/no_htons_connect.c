#include "t.h"
/* connect without htons. */
int main(int argc, char **argv)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = at(0);
    a.sin_port = atoi(argv[1]);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0)
        perror("connect");
    close(fd);
}
