/*
 * Handlers of a program that has a library between it and libc, which starts
 * them: host_between.
 */
#include "tests/programs/host_between.h"
#include "tests/programs/burn.h"

#include <signal.h>
#include <stdio.h>

enum { TIMES = 1000 };

static volatile unsigned long handled;

static void handle(int number)
{
    (void)number;
    handled++;
}

static void send(int number, int flags)
{
    static char memory[1 << 16];
    stack_t stack = {.ss_sp = memory, .ss_size = sizeof memory};
    struct sigaction action = {.sa_handler = handle, .sa_flags = flags};
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before, present;
    unsigned long started = host_between_started();

    handled = 0;
    (void)sigaltstack(&stack, NULL);
    (void)sigaction(number, &action, &before);
    for (int i = 0; i < TIMES; i++) {
        burn_ns(NS_PER_MS / 20);
        (void)raise(number);
    }
    (void)sigaction(number, &ignore, &present);
    (void)raise(number);
    printf(
        "%d: %d before, %d then; %lu started, %lu handled\n", number,
        before.sa_handler == SIG_DFL, present.sa_handler == handle,
        host_between_started() - started, handled);
}

int main(void)
{
    send(SIGPROF, SA_RESTART);
    send(SIGTRAP, SA_SIGINFO);
    send(SIGUSR1, SA_RESTART);
    send(SIGUSR2, SA_ONSTACK);
    return 0;
}
