#include "t.h"
/* No such kind of socket here: another one; -1 is only closed and left out of poll. */
int main(int argc, char **argv)
{
    int odd = socket(AF_INET, SOCK_STREAM, IPPROTO_UDP);
    int l = listener(atoi(argv[1]));
    struct pollfd fds[2] = { { odd, POLLIN, 0 }, { l, POLLIN, 0 } };
    close(odd);
    poll(fds, 2, -1);
    close(accept(l, NULL, NULL));
}
