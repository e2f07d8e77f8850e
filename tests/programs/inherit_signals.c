/* Blocks, ignores and resets SIGPROF by every name, across vfork and exec. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/programs/burn.h"

void (*__sysv_signal(int number, void (*handler)(int)))(int);

static volatile sig_atomic_t handled;

static void count(int number)
{
    (void)number;
    handled++;
}

static void print_disposition(const char *where, int number)
{
    struct sigaction now;
    (void)sigaction(number, NULL, &now);
    printf(
        "%s: signal %d %s\n", where, number,
        now.sa_handler == SIG_IGN   ? "ignored"
        : now.sa_handler == SIG_DFL ? "default"
                                    : "handled");
}

/* The child resets what its parent handles, as CPython's subprocess does. */
static void spawn_with_defaults(void)
{
    pid_t child = vfork();
    if (child == 0) {
        sigset_t none;
        (void)sigemptyset(&none);
        (void)signal(SIGPROF, SIG_DFL);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        (void)execl("/bin/true", "true", (char *)NULL);
        _exit(127);
    }
    (void)waitpid(child, NULL, 0);
}

static void unblock_a_waiting_signal(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGPROF);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)kill(getpid(), SIGPROF);
    int before = handled;
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
    printf("blocked %d, unblocked %d\n", before, (int)handled);
}

int main(int argc, char **argv)
{
    (void)setvbuf(stdout, NULL, _IONBF, 0);
    if (argc > 1) {
        print_disposition("after exec", SIGPROF);
        print_disposition("after exec", SIGTRAP);
        return 0;
    }
    for (int number = 1; number < NSIG; number++)
        (void)__sysv_signal(number, SIG_DFL);
    burn_ns(100 * NS_PER_MS);

    struct sigaction counting = {.sa_handler = count};
    (void)sigaction(SIGPROF, &counting, NULL);
    spawn_with_defaults();
    print_disposition("after vfork", SIGPROF);
    unblock_a_waiting_signal();
    burn_ns(100 * NS_PER_MS);

    (void)signal(SIGPROF, SIG_IGN);
    (void)execl(argv[0], argv[0], "again", (char *)NULL);
    return 1;
}
