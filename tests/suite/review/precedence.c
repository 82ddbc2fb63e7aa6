#include "t.h"
/* fd = socket(…) < 0 makes fd 0, or whatever file is there. */
int main(int argc, char **argv)
{
    int fd, l = listener(atoi(argv[1]));
    struct sockaddr_in a = at(0);
    int file = open("/dev/null", O_RDONLY);
    if ((fd = socket(AF_INET, SOCK_STREAM, 0) < 0))
        return 1;
    connect(file, (struct sockaddr *)&a, sizeof a);
    close(accept(l, NULL, NULL));
}
