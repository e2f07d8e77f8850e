/*
 * Runs a command under a filter like a container's: contained COMMAND [ARG...].
 *
 * contained --later: burns in one thread, and comes under it, with all threads
 * at once (SECCOMP_FILTER_FLAG_TSYNC), when a line is read; says what that
 * returned, and ends with the input.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "tests/programs/burn.h"
#include "tests/programs/container_filter.h"

static volatile uint64_t sink;

static void *burn(void *unused)
{
    for (;;)
        sink += burn_until(thread_cpu_ns() + NS_PER_MS);
    return unused;
}

static int come_later(void)
{
    pthread_t thread;
    char line[16];
    if (pthread_create(&thread, NULL, burn, NULL) != 0)
        return 1;
    if (fgets(line, sizeof line, stdin) == NULL)
        return 1;
    printf(
        "%ld\n", syscall(
                     SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                     SECCOMP_FILTER_FLAG_TSYNC, &container_filter));
    (void)fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL)
        ;
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return 2;
    if (strcmp(argv[1], "--later") == 0)
        return come_later();
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &container_filter) != 0) {
        perror("contained");
        return 1;
    }
    execvp(argv[1], argv + 1);
    perror(argv[1]);
    return 127;
}
