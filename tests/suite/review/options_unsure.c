#include "t.h"
/* These ORs are options themselves; and an option that is not there is only a question. */
int main(int argc, char **argv)
{
    int l = listener(atoi(argv[1])), on = 1;
    setsockopt(l, SOL_SOCKET, SO_REUSEADDR | SO_REUSEPORT, &on, sizeof on);
    setsockopt(l, SOL_SOCKET, SO_REUSEADDR | SO_KEEPALIVE, &on, sizeof on);
    setsockopt(l, SOL_SOCKET, 4000, &on, sizeof on);
    close(accept(l, NULL, NULL));
}
