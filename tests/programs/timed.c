/*
 * Runs a command and writes what the kernel says its tree used:
 * timed FILE COMMAND [ARG...]; the file gets nanoseconds of user and of system
 * time. Ends as the command does; the command's own parent is this process.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t nanoseconds(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_usec * 1000u;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    pid_t child = fork();
    if (child < 0)
        return 1;
    if (child == 0) {
        execvp(argv[2], argv + 2);
        _exit(127);
    }
    int status;
    struct rusage usage;
    if (wait4(child, &status, 0, &usage) != child)
        return 1;

    FILE *file = fopen(argv[1], "w");
    if (file == NULL)
        return 1;
    (void)fprintf(
        file, "%" PRIu64 " %" PRIu64 "\n", nanoseconds(usage.ru_utime),
        nanoseconds(usage.ru_stime));
    if (fclose(file) != 0)
        return 1;
    if (WIFSIGNALED(status)) {
        (void)signal(WTERMSIG(status), SIG_DFL);
        (void)raise(WTERMSIG(status));
    }
    return WEXITSTATUS(status);
}
