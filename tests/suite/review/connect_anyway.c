#include "t.h"
/* Nobody listens there, which nobody looks at. */
int main(int argc, char **argv)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = at(1);
    char text[10];
    connect(fd, (struct sockaddr *)&a, sizeof a);
    send(fd, "hello", 5, MSG_NOSIGNAL);
    recv(fd, text, sizeof text, 0);
    close(fd);
}
