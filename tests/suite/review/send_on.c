#include "t.h"
/* Sends on to a server that has gone, and dies of SIGPIPE. */
int main(int argc, char **argv)
{
    int fd = connected(atoi(argv[1]));
    for (int n = 0; n < 5; n++) {
        write(fd, "tick\n", 5);
        usleep(150000);
    }
}
