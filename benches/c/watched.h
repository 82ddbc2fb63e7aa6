/* What the watched programs of this folder share. */
#include <stdio.h>
#include <time.h>

/* Seconds of CLOCK_MONOTONIC. */
static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}
