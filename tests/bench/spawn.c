/*
 * spawn: COUNT times in a row, start a program and wait for it.
 *
 *     spawn vfork|fork COUNT PROGRAM [ARG...]
 *
 * Prints nanoseconds of wall time and of the children's CPU time, each.
 */
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static double now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static pid_t start(bool is_fork, char **command)
{
    pid_t pid = -1;
    if (!is_fork)
        return posix_spawn(&pid, command[0], NULL, NULL, command, environ) == 0
                   ? pid
                   : -1;
    pid = fork();
    if (pid == 0) {
        (void)execv(command[0], command);
        _exit(127);
    }
    return pid;
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    int count = atoi(argv[2]), status;
    double begin = now_ns();
    for (int i = 0; i < count; i++) {
        pid_t pid = start(strcmp(argv[1], "fork") == 0, argv + 3);
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
            return 1;
    }
    double wall = now_ns() - begin;
    struct rusage usage;
    (void)getrusage(RUSAGE_CHILDREN, &usage);
    double cpu =
        (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e9 +
        (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e3;
    printf("%.0f %.0f\n", wall / count, cpu / count);
    return 0;
}
