/* A program without sockets: it allocates, computes, opens and reads files. Prints how often it did so a second. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "watched.h"

int main(int argc, char **argv) {
    int n = argc > 1 ? atoi(argv[1]) : 100;
    unsigned sum = 0;
    struct stat about;
    double start = now();
    for (int i = 0; i < n; i++) {
        char *memory = malloc(1 << 20);
        memset(memory, i, 1 << 20);
        for (int j = 0; j < 1 << 20; j += 7)
            sum = sum * 31 + memory[j];
        free(memory);
        for (int j = 0; j < 50; j++)
            stat("/etc/passwd", &about);
    }
    printf("%f\n", n / (now() - start));
    return sum == 42;
}
