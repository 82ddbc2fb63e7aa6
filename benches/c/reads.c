/* Reads one file again and again, and opens no socket. Prints how many reads it made a second. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "watched.h"

int main(int argc, char **argv) {
    int fd = open("/etc/passwd", O_RDONLY), n = argc > 1 ? atoi(argv[1]) : 1000;
    char buf[16];
    double start = now();
    for (int i = 0; i < n; i++)
        if (lseek(fd, 0, SEEK_SET) < 0 || read(fd, buf, sizeof buf) < 0)
            return 1;
    printf("%f\n", n / (now() - start));
}
