#include "t.h"
/* A wait that cannot wait: the listener is always ready, and never accepted from. */
int main(int argc, char **argv)
{
    int l = listener(atoi(argv[1]));
    struct pollfd p = { l, POLLIN, 0 };
    poll(&p, 1, -1);
    for (int n = 0; n < 3000; n++)
        poll(&p, 1, -1);
    close(accept(l, NULL, NULL));
}
