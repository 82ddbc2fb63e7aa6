#include "t.h"
#include <sys/resource.h>
/* Has no descriptor left, and accepts again at once. */
int main(int argc, char **argv)
{
    int l = listener(atoi(argv[1]));
    struct rlimit few = { 6, 6 };
    setrlimit(RLIMIT_NOFILE, &few);
    for (int n = 0; n < 4000; n++)
        accept(l, NULL, NULL);
}
