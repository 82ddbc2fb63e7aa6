/* Children that ask not to be traced, by both calls; each has a socket. */
#define _GNU_SOURCE
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    struct clone_args args;
    memset(&args, 0, sizeof args);
    args.flags = CLONE_UNTRACED;
    args.exit_signal = SIGCHLD;
    for (int way = 0; way < 2; way++) {
        long child = way == 0 ? syscall(SYS_clone, CLONE_UNTRACED | SIGCHLD, 0, 0, 0, 0)
                              : syscall(SYS_clone3, &args, sizeof args);
        if (child == 0) _exit(socket(AF_INET, SOCK_STREAM, 0) < 0);
        int status = 1;
        if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0) return 1;
        if (args.flags != CLONE_UNTRACED) return 2;
    }
    return 0;
}
