/* Burns with every signal blocked, then with none. */
#include <signal.h>
#include <stdio.h>

#include "tests/programs/burn.h"

__attribute__((noipa)) static void burn_blocked(void)
{
    burn_ns(200 * NS_PER_MS);
}

__attribute__((noipa)) static void burn_open(void)
{
    burn_ns(200 * NS_PER_MS);
}

int main(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    burn_blocked();
    sigprocmask(SIG_UNBLOCK, &all, NULL);
    burn_open();
    printf("alive\n");
    return 0;
}
