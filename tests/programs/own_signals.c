/* Uses SIGTRAP and SIGPROF for purposes of its own, and counts them. */
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>

#include "tests/programs/burn.h"

static volatile sig_atomic_t traps, profs;

static void on_signal(int number)
{
    if (number == SIGTRAP)
        traps++;
    else
        profs++;
}

int main(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGTRAP, &action, NULL);
    sigaction(SIGPROF, &action, NULL);
    struct itimerval timer = {{0, 20000}, {0, 20000}};
    setitimer(ITIMER_PROF, &timer, NULL);

    for (int i = 0; i < 50; i++) {
        burn_ns(10 * NS_PER_MS);
        if (i % 2)
            (void)raise(SIGTRAP);
        else
            __asm__ volatile("int3"); /* as a debugger's breakpoint does */
    }
    struct sigaction seen;
    sigaction(SIGTRAP, NULL, &seen);
    printf(
        "%d traps, %s, handler %s\n", (int)traps,
        profs > 5 ? "own timer runs" : "own timer is silent",
        seen.sa_handler == on_signal ? "kept" : "lost");
    return 0;
}
