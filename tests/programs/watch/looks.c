/* What a program finds when it starts: all that may not depend on whether it is watched. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <errno.h>

extern char **environ;

int main(int argc, char **argv) {
    for (int i = 0; i < argc; i++) printf("argument %s\n", argv[i]);
    for (char **one = environ; *one; one++) printf("environment %s\n", *one);
    sigset_t blocked;
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    for (int n = 1; n < NSIG; n++) {
        struct sigaction is;
        if (sigismember(&blocked, n) == 1) printf("blocked %d\n", n);
        if (sigaction(n, NULL, &is) == 0 && is.sa_handler != SIG_DFL) printf("not at its default: %d\n", n);
    }
    for (int fd = 0; fd < 256; fd++)
        if (fcntl(fd, F_GETFD) >= 0) printf("descriptor %d\n", fd);
    mode_t mask = umask(0);
    char folder[4096];
    printf("umask %o, folder %s\n", (unsigned)mask, getcwd(folder, sizeof folder));
    printf("group of its parent %d, leads %d\n", getpgrp() == getpgid(getppid()), getpgrp() == getpid());
    printf("session of its parent %d, terminal's group %d\n", getsid(0) == getsid(getppid()), tcgetpgrp(0) == getpgrp());
    for (int limit = 0; limit < RLIM_NLIMITS; limit++) {
        struct rlimit is;
        if (getrlimit(limit, &is) == 0) printf("limit %d: %llu %llu\n", limit, (unsigned long long)is.rlim_cur, (unsigned long long)is.rlim_max);
    }
    printf("nice %d, alarm %u, child %d\n", nice(0), alarm(0), waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    return 0;
}
