/*
 * Another library between this one and libc that keeps a book of the program's
 * handlers and starts them by one of its own: ThreadSanitizer's runtime, which
 * defers them until its own state is in order, or Java's libjsig.
 *
 * Such a library is to see every action, of our signals as well, and none of
 * what we put in their place. So the program's call goes to it first, and what
 * it passes on comes to us: it asks for the next sigaction() behind its own by
 * dlsym(), and gets ours instead of libc's. The kernel never has its handler
 * for our signals, not even for a moment in which a sample might come; it is
 * what we believe the program to have set.
 *
 * One that finds libc's in another way is passed by for our signals, as a
 * sample that met its handler would be taken for the program's.
 */
#include "profiler/agent/shell_between.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>

#include "profiler/agent/shell.h"
#include "profiler/agent/shell_signals.h"

static _Atomic bool is_between;

bool shell_between_is(void)
{
    return atomic_load_explicit(&is_between, memory_order_relaxed);
}

int shell_between_action(
    int number, const struct sigaction *wanted, struct sigaction *old)
{
    atomic_store_explicit(&is_between, true, memory_order_relaxed);
    return shell_signals_act(shell_real()->__sigaction, number, wanted, old);
}

/* Called while that library begins: its own strcmp() has nothing behind it. */
static bool is_same_name(const char *name, const char *other)
{
    while (*name != '\0' && *name == *other) {
        name++;
        other++;
    }
    return *name == *other;
}

static bool is_same_object(const void *code, const void *other)
{
    Dl_info first, second;
    return dladdr(code, &first) != 0 && dladdr(other, &second) != 0 &&
           first.dli_fbase == second.dli_fbase;
}

/* Whether the next sigaction() behind ours is another library's. */
static bool is_wrapped(const struct shell_real *real)
{
    return real->__sigaction != NULL && real->sigaction != real->__sigaction;
}

void *shell_between_answer(void *handle, const char *name, const void *caller)
{
    const struct shell_real *real = shell_real();
    if (handle != RTLD_NEXT || !is_same_name(name, "sigaction") ||
        !is_wrapped(real) ||
        !is_same_object(caller, (const void *)(uintptr_t)real->sigaction))
        return NULL;
    return (void *)(uintptr_t)shell_between_action;
}

void shell_between_ask(void)
{
    struct sigaction present;
    if (is_wrapped(shell_real()))
        (void)shell_real()->sigaction(SIGPROF, NULL, &present);
}
