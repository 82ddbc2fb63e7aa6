/* A client that says hello: cc client.c -o client; ./client 127.0.0.1 5858 */

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct sockaddr_in server = { .sin_family = AF_INET };
    char answer[1024];
    ssize_t n;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd == -1 || argc != 3 || inet_pton(AF_INET, argv[1], &server.sin_addr) != 1)
        return 2;
    server.sin_port = htons(atoi(argv[2]));
    if (connect(fd, (struct sockaddr *)&server, sizeof server) == -1) {
        perror("connect");
        return 1;
    }
    send(fd, "hello", 5, 0);
    shutdown(fd, SHUT_WR);
    while ((n = recv(fd, answer, sizeof answer, 0)) > 0)
        fwrite(answer, 1, n, stdout);
    putchar('\n');
    close(fd);
    return 0;
}
