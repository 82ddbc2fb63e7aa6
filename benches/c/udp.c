/* Datagrams: each goes back to its sender. */
#include "common.h"

int main(int argc, char **argv)
{
    int fd = open_server(argc, argv, SOCK_DGRAM);
    size_t size = buffer_size(argc, argv);
    char *buf = allocate(size);
    for (;;) {
        struct sockaddr_storage from;
        socklen_t length = sizeof from;
        ssize_t n = recvfrom(fd, buf, size, 0, (struct sockaddr *)&from, &length);
        if (n < 0)
            continue; /* an ICMP answer to an earlier datagram: that client's loss */
        sendto(fd, buf, n, 0, (struct sockaddr *)&from, length);
    }
}
