#include "t.h"
/* The size of a pointer instead of that of an address. */
int main(int argc, char **argv)
{
    int l = listener(atoi(argv[1])), fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = at(0), *p = &a;
    if (bind(fd, (struct sockaddr *)p, sizeof p) < 0)
        close(fd);
    close(accept(l, NULL, NULL));
}
