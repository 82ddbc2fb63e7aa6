/* Processes and threads that make socket calls: processes MODE. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static int ends[2];
static char *self;

static void pair(int fd[2]) {
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) < 0) { perror("socketpair"); exit(1); }
}

static void say(int fd, const char *text) { send(fd, text, strlen(text), 0); }

static void hear(int fd) {
    char text[100];
    recv(fd, text, sizeof text, 0);
}

static void *answers(void *arg) {
    int fd = (int)(long)arg;
    for (int i = 0; i < 3; i++) { hear(fd); say(fd, "answer"); }
    return NULL;
}

static void threads(void) {
    pthread_t thread[4];
    int fd[4][2];
    for (int i = 0; i < 4; i++) {
        pair(fd[i]);
        pthread_create(&thread[i], NULL, answers, (void *)(long)fd[i][1]);
    }
    for (int n = 0; n < 3; n++)
        for (int i = 0; i < 4; i++) { say(fd[i][0], "question"); hear(fd[i][0]); }
    for (int i = 0; i < 4; i++) pthread_join(thread[i], NULL);
}

/* The first thread ends, and another goes on: with a file as well as a socket. */
static void *goes_on(void *first) {
    pthread_join(*(pthread_t *)first, NULL);
    int fd[2];
    char text[10];
    pair(fd);
    say(fd[0], "alone");
    hear(fd[1]);
    FILE *file = fopen("/proc/self/stat", "r");
    if (file) { fread(text, 1, sizeof text, file); fclose(file); }
    say(fd[0], "to the end");
    exit(3);
}

static void leaves(void) {
    static pthread_t first;
    pthread_t other;
    first = pthread_self();
    pthread_create(&other, NULL, goes_on, &first);
    pthread_exit(NULL);
}

static void forks(void) {
    pair(ends);
    for (int i = 0; i < 3; i++) {
        pid_t child = fork();
        if (child == 0) {
            close(ends[0]);
            hear(ends[1]);
            say(ends[1], "child");
            if (i == 2) raise(SIGKILL);
            _exit(i);
        }
        int status;
        say(ends[0], "parent");
        waitpid(child, &status, 0);
        hear(ends[0]);
    }
    waitpid(-1, NULL, WNOHANG);
    pid_t child = fork();
    if (child == 0) {
        pid_t grandchild = fork();
        if (grandchild == 0) { say(ends[1], "grandchild"); _exit(0); }
        waitpid(grandchild, NULL, 0);
        _exit(0);
    }
    siginfo_t info;
    waitid(P_PID, child, &info, WEXITED);
    kill(child, SIGTERM);
}

static void spawns(void) {
    pair(ends);
    char *args[] = {self, "child", NULL};
    pid_t child;
    posix_spawn(&child, self, NULL, NULL, args, environ);
    waitpid(child, NULL, 0);
    if (vfork() == 0) { execve(self, args, environ); _exit(1); }
    wait(NULL);
    if (vfork() == 0) _exit(4);
    wait(NULL);
    system("exit 5");
    FILE *out = popen("echo piped", "r");
    char text[20];
    if (out) { fgets(text, sizeof text, out); pclose(out); }
    say(ends[0], "done");
}

static void child(void) {
    int fd[2];
    pair(fd);
    say(fd[0], "child");
    hear(fd[1]);
}

static void *waits(void *fd) {
    hear((int)(long)fd);
    return NULL;
}

static int asleep(pid_t tid) {
    char path[50], text[200] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    fread(text, 1, sizeof text - 1, file);
    fclose(file);
    char *state = strrchr(text, ')');
    return state && state[2] == 'S';
}

static void *becomes(void *arg) {
    char *args[] = {self, "child", NULL};
    hear((int)(long)arg);
    while (!asleep(getpid())) sched_yield(); /* the first thread is in its call */
    execve(self, args, environ);
    return NULL;
}

/* exec from a thread that is not the first. The first waits in recv. */
static void execs(void) {
    pthread_t thread;
    int fd[2], quiet[2];
    pair(fd);
    pair(quiet);
    pthread_create(&thread, NULL, becomes, (void *)(long)fd[1]);
    say(fd[0], "go");
    waits((void *)(long)quiet[0]);
}

/* The same after the first thread has ended. */
static void *replaces_it(void *first) {
    char *args[] = {self, "child", NULL};
    int fd[2];
    pthread_join(*(pthread_t *)first, NULL);
    pair(fd);
    say(fd[0], "alone");
    hear(fd[1]);
    execve(self, args, environ);
    return NULL;
}

static void replaces(void) {
    static pthread_t first;
    pthread_t other;
    first = pthread_self();
    pthread_create(&other, NULL, replaces_it, &first);
    pthread_exit(NULL);
}

/* A thread forks; its child makes a thread; both talk. */
static void *forks_again(void *arg) {
    (void)arg;
    int fd[2];
    pair(fd);
    pid_t child = fork();
    if (child == 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, answers, (void *)(long)fd[1]);
        for (int i = 0; i < 3; i++) { say(fd[0], "question"); hear(fd[0]); }
        pthread_join(thread, NULL);
        _exit(6);
    }
    waitpid(child, NULL, 0);
    return NULL;
}

static void mixes(void) {
    pthread_t thread;
    for (int i = 0; i < 3; i++) {
        pthread_create(&thread, NULL, forks_again, NULL);
        pthread_join(thread, NULL);
    }
}

static volatile sig_atomic_t came;

static void writes(int signal) {
    (void)signal;
    came++;
    write(ends[0], "handler", 7);
}

static void nothing(int signal) { (void)signal; }

static void handle(int number, void (*handler)(int), int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigaction(number, &action, NULL);
}

struct waiting { int kind, fd; pid_t tid; int result, why; };

static void *interrupted(void *arg) {
    struct waiting *waiting = arg;
    char text[10];
    struct pollfd one = {waiting->fd, POLLIN, 0};
    __atomic_store_n(&waiting->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
    switch (waiting->kind) {
    case 0: waiting->result = recv(waiting->fd, text, sizeof text, 0); break;
    case 1: waiting->result = accept(waiting->fd, NULL, NULL); break;
    default: waiting->result = poll(&one, 1, 10000);
    }
    waiting->why = errno;
    return NULL;
}

/* A thread waits in a call; a signal comes, when it surely sleeps; then what it waited for, if it still waits. */
static void interrupt(int kind, void (*handler)(int), int flags) {
    int fd[2], wake[2];
    pair(fd);
    pair(wake);
    if (kind == 1) {
        struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        close(wake[0]);
        wake[0] = socket(AF_INET, SOCK_STREAM, 0);
        bind(wake[0], (struct sockaddr *)&name, sizeof name);
        listen(wake[0], 1);
    }
    handle(SIGUSR1, handler, flags);
    struct waiting waiting = {kind, wake[0], 0, 0, 0};
    pthread_t thread;
    pthread_create(&thread, NULL, interrupted, &waiting);
    while (!__atomic_load_n(&waiting.tid, __ATOMIC_SEQ_CST) || !asleep(waiting.tid)) sched_yield();
    int before = came;
    pthread_kill(thread, SIGUSR1);
    if (handler == writes) while (came == before) sched_yield();
    if (kind != 2 && (flags & SA_RESTART || handler == SIG_IGN)) {
        while (!asleep(waiting.tid)) sched_yield();
        if (kind == 1) shutdown(wake[0], SHUT_RDWR);
        else say(wake[1], "wake");
    }
    pthread_join(thread, NULL);
}

static void signals(void) {
    pair(ends);
    for (int kind = 0; kind < 3; kind++) {
        interrupt(kind, writes, 0);
        interrupt(kind, writes, SA_RESTART);
        interrupt(kind, nothing, 0);
        /* A poll that goes on after a stop is restart_syscall, of which strace shows no more than the result. */
        if (kind != 2) interrupt(kind, SIG_IGN, 0);
    }
}

/* A handler that waits itself, in a wait; and one that leaves for good with longjmp. */
static sigjmp_buf back;
static int inner[2];

static void waits_itself(int signal) {
    (void)signal;
    came++;
    hear(inner[1]);
}

static void jumps(int signal) {
    (void)signal;
    siglongjmp(back, 1);
}

static void handlers(void) {
    int fd[2], wake[2];
    pair(fd);
    pair(inner);
    pair(wake);
    handle(SIGUSR1, waits_itself, SA_RESTART);
    struct waiting waiting = {0, wake[0], 0, 0, 0};
    pthread_t thread;
    pthread_create(&thread, NULL, interrupted, &waiting);
    while (!__atomic_load_n(&waiting.tid, __ATOMIC_SEQ_CST) || !asleep(waiting.tid)) sched_yield();
    pthread_kill(thread, SIGUSR1);
    while (!came || !asleep(waiting.tid)) sched_yield();
    say(inner[0], "inner");
    say(wake[1], "outer");
    pthread_join(thread, NULL);
    handle(SIGALRM, jumps, SA_RESTART);
    if (sigsetjmp(back, 1) == 0) {
        ualarm(100000, 0);
        hear(fd[0]);
    }
    say(fd[0], "after the jump");
}

/* SIGPIPE at its default, and a signal that ends it in a call. */
static void killed(void) {
    pair(ends);
    pid_t child = fork();
    if (child == 0) { close(ends[0]); shutdown(ends[1], SHUT_WR); write(ends[1], "x", 1); _exit(0); }
    waitpid(child, NULL, 0);
    child = fork();
    if (child == 0) {
        int fd[2];
        pair(fd);
        ualarm(100000, 0);
        hear(fd[0]);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    say(ends[0], "last");
    raise(SIGTERM);
}

int main(int argc, char **argv) {
    const struct { const char *name; void (*run)(void); } modes[] = {
        {"threads", threads}, {"leaves", leaves}, {"forks", forks}, {"spawns", spawns}, {"child", child},
        {"execs", execs}, {"replaces", replaces}, {"mixes", mixes}, {"handlers", handlers}, {"signals", signals}, {"killed", killed},
    };
    self = argv[0];
    for (unsigned i = 0; i < sizeof modes / sizeof *modes; i++)
        if (argc > 1 && strcmp(argv[1], modes[i].name) == 0) return modes[i].run(), 0;
    return 2;
}
