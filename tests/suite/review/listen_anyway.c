#include "t.h"
/* The port is taken, which nobody looks at. */
int main(int argc, char **argv)
{
    int first = listener(atoi(argv[1]));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = at(22);
    inet_pton(AF_INET, "192.0.2.1", &a.sin_addr);
    bind(fd, (struct sockaddr *)&a, sizeof a);
    listen(fd, 5);
    close(accept(first, NULL, NULL));
    close(fd);
}
