#include "t.h"
/* EINVAL, but the address is right: the socket has one already. And an address buffer that is too small is legal. */
int main(int argc, char **argv)
{
    int l = listener(atoi(argv[1]));
    struct sockaddr_in a = at(0);
    socklen_t length = 4;
    if (bind(l, (struct sockaddr *)&a, sizeof a) == 0)
        return 1;
    close(accept(l, (struct sockaddr *)&a, &length));
}
