/* Makes processes in every way there is: fork, vfork, posix_spawn, exec. */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/programs/burn.h"

extern char **environ;

static int reap(pid_t child)
{
    int status = -1;
    return waitpid(child, &status, 0) == child && WIFEXITED(status)
               ? WEXITSTATUS(status)
               : -1;
}

static int by_fork(void)
{
    pid_t child = fork();
    if (child == 0) {
        burn_ns(40 * NS_PER_MS);
        exit(11);
    }
    return reap(child);
}

static int by_vfork(const char *self)
{
    pid_t child = vfork();
    if (child == 0) {
        execl(self, self, "12", (char *)NULL);
        _exit(127);
    }
    return reap(child);
}

static int by_spawn(char *self)
{
    pid_t child;
    char step[] = "13";
    char *arguments[] = {self, step, NULL};
    if (posix_spawn(&child, self, NULL, NULL, arguments, environ) != 0)
        return -1;
    return reap(child);
}

/* Also: an exec that fails leaves the program as it was. */
static int by_failed_exec(const char *self)
{
    pid_t child = fork();
    if (child == 0) {
        execl("/nonexistent/program", "program", (char *)NULL);
        burn_ns(40 * NS_PER_MS);
        execl(self, self, "14", (char *)NULL);
        _exit(127);
    }
    return reap(child);
}

int main(int argc, char **argv)
{
    burn_ns(40 * NS_PER_MS);
    if (argc > 1)
        return atoi(argv[1]);
    int forked = by_fork();
    int vforked = by_vfork(argv[0]);
    int spawned = by_spawn(argv[0]);
    int failed_first = by_failed_exec(argv[0]);
    int shell = WEXITSTATUS(system("exit 15"));
    printf("%d %d %d %d %d\n", forked, vforked, spawned, failed_first, shell);
    return 0;
}
