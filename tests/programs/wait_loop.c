/* Reaps its children with wait() until there are none, and counts them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/programs/burn.h"

enum { CHILDREN = 7 };

int main(void)
{
    for (int i = 0; i < CHILDREN; i++) {
        pid_t child = fork();
        if (child < 0)
            return 1;
        if (child == 0) {
            burn_ns(5 * NS_PER_MS);
            _exit(i);
        }
    }
    int count = 0;
    int sum = 0;
    int status;
    while (wait(&status) > 0) {
        count++;
        sum += WEXITSTATUS(status);
    }
    printf("%d children, statuses %d, %s\n", count, sum, strerror(errno));
    return 0;
}
