/* Storms: storms MODE ROUNDS. Each counts its own calls of send and recv, before and after each, in memory that all of its
   processes share, and prints: sends BEGUN DONE recvs BEGUN DONE. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct counts { atomic_long sends[2], recvs[2]; } *counts;
static char *self, number[20];
static long rounds;

static void say(int fd) {
    counts->sends[0]++;
    send(fd, "x", 1, 0);
    counts->sends[1]++;
}

static void hear(int fd) {
    char byte;
    counts->recvs[0]++;
    recv(fd, &byte, 1, 0);
    counts->recvs[1]++;
}

static void talk(int times) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0) { perror("socketpair"); _exit(1); }
    for (int i = 0; i < times; i++) { say(ends[0]); hear(ends[1]); }
    close(ends[0]);
    close(ends[1]);
}

static void become_a_leaf(void) {
    char *args[] = {self, "leaf", number, NULL};
    execv(self, args);
    _exit(1);
}

static void *talks(void *arg) { (void)arg; talk(1); return NULL; }
static void *talks_on(void *arg) { (void)arg; for (;;) talk(2); }
static void *executes(void *arg) { (void)arg; talk(1); become_a_leaf(); return NULL; }
static void *starts_threads(void *arg) {
    (void)arg;
    for (;;) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, talks, NULL) == 0) pthread_join(thread, NULL);
    }
}
static void *vforks(void *arg) {
    (void)arg;
    for (int i = 0; i < 3; i++) {
        pid_t child = vfork();
        if (child == 0) become_a_leaf();
        waitpid(child, NULL, 0);
    }
    return NULL;
}

static void start(pthread_t *thread, void *(*run)(void *)) {
    while (pthread_create(thread, NULL, run, NULL) != 0) sched_yield(); /* not while another thread executes */
}

static void in_a_child(void (*run)(void)) {
    pid_t child = fork();
    if (child == 0) { run(); _exit(0); }
    waitpid(child, NULL, 0);
}

/* Threads start others, and one that is not the first becomes another program in the middle of it. */
static void one_executes(void) {
    pthread_t thread;
    start(&thread, starts_threads);
    start(&thread, starts_threads);
    start(&thread, talks_on);
    start(&thread, executes);
    talks_on(NULL);
}
static void exec(void) { for (long i = 0; i < rounds; i++) in_a_child(one_executes); }

/* All of them want to become another program. */
static void all_execute(void) {
    pthread_t thread;
    for (int i = 0; i < 4; i++) start(&thread, executes);
    for (;;) pause();
}
static void execs(void) { for (long i = 0; i < rounds; i++) in_a_child(all_execute); }

/* Children that are gone before their parent has heard of them. */
static void die_at_once(void) {
    for (long i = 0; i < rounds; i++) {
        pid_t child[8];
        for (int n = 0; n < 8; n++) {
            child[n] = fork();
            if (child[n] == 0) {
                if (n % 4 == 1) { say(1000); _exit(0); }
                if (n % 4 == 2) { if (fork() == 0) { say(1000); _exit(0); } _exit(0); }
                _exit(n);
            }
            if (n % 4 == 3) kill(child[n], SIGKILL);
        }
        for (int n = 0; n < 8; n++) waitpid(child[n], NULL, 0);
        talk(1);
    }
}

/* A flood of SIGURG to threads in recv. */
static int quiet[3][2];
static void *waits(void *end) { for (int i = 0; i < 5; i++) hear(*(int *)end); return NULL; }
static void nothing(int signal) { (void)signal; }
static void urgent(void) {
    struct sigaction action = {.sa_handler = nothing, .sa_flags = SA_RESTART};
    sigaction(SIGURG, &action, NULL);
    pthread_t thread[3];
    for (int n = 0; n < 3; n++) {
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, quiet[n]) < 0) _exit(1);
        pthread_create(&thread[n], NULL, waits, &quiet[n][1]);
    }
    for (int i = 0; i < 5; i++) {
        for (long n = 0; n < 20 * rounds; n++) pthread_kill(thread[n % 3], SIGURG);
        for (int n = 0; n < 3; n++) say(quiet[n][0]);
    }
    for (int n = 0; n < 3; n++) pthread_join(thread[n], NULL);
}

static void vfork_storm(void) {
    for (long i = 0; i < rounds; i++) {
        pthread_t thread[4];
        for (int n = 0; n < 4; n++) start(&thread[n], vforks);
        for (int n = 0; n < 4; n++) pthread_join(thread[n], NULL);
    }
}

/* Killed while its threads start threads, fork and talk. */
static void *forks(void *arg) {
    (void)arg;
    for (;;) {
        pid_t child = fork();
        if (child == 0) { talk(1); _exit(0); }
        if (child > 0) waitpid(child, NULL, 0);
    }
}
static void is_busy(void) {
    pthread_t thread;
    start(&thread, starts_threads);
    start(&thread, talks_on);
    forks(NULL);
}
static void killed(void) {
    for (long i = 0; i < rounds; i++) {
        long before = counts->sends[1];
        pid_t child = fork();
        if (child == 0) is_busy();
        while (counts->sends[1] < before + 20) sched_yield();
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
}

int main(int argc, char **argv) {
    const struct { const char *name; void (*run)(void); } modes[] = {
        {"exec", exec}, {"execs", execs}, {"die-at-once", die_at_once}, {"urgent", urgent},
        {"vfork", vfork_storm}, {"killed", killed},
    };
    if (argc != 3) return 2;
    self = argv[0];
    int leaf = strcmp(argv[1], "leaf") == 0;
    int memory = leaf ? atoi(argv[2]) : memfd_create("counts", 0);
    if (!leaf && ftruncate(memory, sizeof *counts) < 0) return 1;
    snprintf(number, sizeof number, "%d", memory);
    counts = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (counts == MAP_FAILED) return 1;
    if (leaf) {
        talk(2);
        return 0;
    }
    rounds = atol(argv[2]);
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* whoever loses its parent is ours to wait for */
    for (unsigned i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcmp(argv[1], modes[i].name) == 0) {
            modes[i].run();
            while (waitpid(-1, NULL, 0) > 0) {}
            printf("sends %ld %ld recvs %ld %ld\n", counts->sends[0], counts->sends[1], counts->recvs[0], counts->recvs[1]);
            return 0;
        }
    return 2;
}
