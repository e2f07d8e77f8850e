/*
 * A library that keeps a book of the program's handlers and starts them by one
 * of its own, as sanitizers' runtimes and Java's libjsig do.
 */
#include "tests/programs/host_between.h"

#include <dlfcn.h>
#include <signal.h>
#include <stddef.h>

typedef int action_function(
    int number, const struct sigaction *wanted, struct sigaction *old);

static struct sigaction book[NSIG];
static volatile unsigned long started;

unsigned long host_between_started(void)
{
    return started;
}

static void start(int number, siginfo_t *info, void *context)
{
    started++;
    if (book[number].sa_flags & SA_SIGINFO)
        book[number].sa_sigaction(number, info, context);
    else
        book[number].sa_handler(number);
}

int sigaction(int number, const struct sigaction *wanted, struct sigaction *old)
{
    static action_function *next;
    if (next == NULL)
        next = (action_function *)dlsym(RTLD_NEXT, "sigaction");
    struct sigaction before = book[number], given;
    if (wanted != NULL) {
        book[number] = given = *wanted;
        if (wanted->sa_handler != SIG_DFL && wanted->sa_handler != SIG_IGN) {
            given.sa_sigaction = start;
            given.sa_flags |= SA_SIGINFO;
        }
    }
    int result = next(number, wanted != NULL ? &given : NULL, old);
    if (result == 0 && old != NULL && old->sa_sigaction == start)
        *old = before;
    return result;
}
