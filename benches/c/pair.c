/* An echo server and its clients in one process: N connections with a thread at each end, ROUNDS round trips in all.
   Prints how many round trips it made a second. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "watched.h"

static int rounds;
static struct sockaddr_in address;

static void *serve(void *argument) {
    int fd = (int)(long)argument;
    char buf[64];
    ssize_t n;
    while ((n = recv(fd, buf, sizeof buf, 0)) > 0)
        send(fd, buf, n, MSG_NOSIGNAL);
    close(fd);
    return NULL;
}

static void *ask(void *argument) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char buf[64];
    connect(fd, (struct sockaddr *)&address, sizeof address);
    for (int i = 0; i < rounds; i++) {
        send(fd, "hello, world\n", 13, MSG_NOSIGNAL);
        recv(fd, buf, sizeof buf, 0);
    }
    close(fd);
    return argument;
}

int main(int argc, char **argv) {
    int n = argc > 1 ? atoi(argv[1]) : 1;
    rounds = (argc > 2 ? atoi(argv[2]) : 1000) / n;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t len = sizeof address;
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(listener, (struct sockaddr *)&address, len);
    listen(listener, 128);
    getsockname(listener, (struct sockaddr *)&address, &len);
    pthread_t threads[2 * n];
    double start = now();
    for (long i = 0; i < n; i++) {
        pthread_create(&threads[i], NULL, ask, NULL);
        pthread_create(&threads[n + i], NULL, serve, (void *)(long)accept(listener, NULL, NULL));
    }
    for (int i = 0; i < 2 * n; i++)
        pthread_join(threads[i], NULL);
    printf("%f\n", n * rounds / (now() - start));
}
