/* A server that does not ask who its clients are, accept(fd, NULL, NULL): accepts FILE. It writes its port into FILE. */
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    char path[4096], text[100];
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_ANY);
    bind(listener, (struct sockaddr *)&address, sizeof address);
    listen(listener, 5);
    getsockname(listener, (struct sockaddr *)&address, &size);
    snprintf(path, sizeof path, "%s.new", argv[1]);
    FILE *file = fopen(path, "w");
    fprintf(file, "%d", ntohs(address.sin_port));
    fclose(file);
    rename(path, argv[1]);
    for (;;) {
        int client = accept(listener, NULL, NULL);
        ssize_t n;
        while ((n = read(client, text, sizeof text)) > 0)
            write(client, text, n);
        close(client);
    }
}
