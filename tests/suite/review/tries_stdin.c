/* Asks standard input by recv whether it is a socket, as ncat does, and reads it if it is not: tries_stdin PORT */
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    char text[64] = "hello";
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        return 1;
    if (recv(0, text, sizeof text, 0) < 0 && read(0, text, sizeof text) < 0)
        return 1;
    send(fd, text, 5, 0);
    shutdown(fd, SHUT_WR);
    while (recv(fd, text, sizeof text, 0) > 0)
        ;
    close(fd);
    return 0;
}
