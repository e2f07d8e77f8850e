/* Runs as PID 1 of a namespace: reaps an orphan and says what it saw. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/programs/burn.h"

int main(void)
{
    pid_t child = fork();
    if (child == 0) {
        if (fork() == 0) {
            burn_ns(50 * NS_PER_MS); /* outlives its parent */
            _exit(9);
        }
        _exit(4);
    }
    int count = 0;
    int sum = 0;
    int status;
    while (wait(&status) > 0) {
        count++;
        sum += WEXITSTATUS(status);
    }
    int last_errno = errno;
    burn_ns(300 * NS_PER_MS);
    printf(
        "pid %d: %d reaped, statuses %d, %s\n", getpid(), count, sum,
        strerror(last_errno));
    return 0;
}
