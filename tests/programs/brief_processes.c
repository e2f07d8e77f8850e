/*
 * Starts processes that end soon: brief_processes COUNT, one after the other,
 * half of them by fork alone, half by fork and exec of this program; each
 * burns a few milliseconds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/programs/burn.h"

enum { MS_EACH = 3 };

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 100;
    if (count == 0) {
        burn_ns(MS_EACH * NS_PER_MS);
        return 0;
    }
    for (int i = 0; i < count; i++) {
        pid_t child = fork();
        if (child < 0)
            return 1;
        if (child == 0 && i % 2 == 0) {
            burn_ns(MS_EACH * NS_PER_MS);
            exit(0);
        }
        if (child == 0) {
            execl("/proc/self/exe", argv[0], "0", (char *)NULL);
            _exit(127);
        }
        int status;
        if (waitpid(child, &status, 0) != child || status != 0)
            return 1;
    }
    printf("%d\n", count);
    return 0;
}
