#include "t.h"
/* Options are numbers, not bits. */
int main(int argc, char **argv)
{
    int l = listener(atoi(argv[1])), on = 1;
    setsockopt(l, SOL_SOCKET, SO_REUSEADDR | SO_RCVTIMEO, &on, sizeof on);
    close(accept(l, NULL, NULL));
}
