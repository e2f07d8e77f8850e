/*
 * empty_handler: the cost of the clock alone. To be preloaded:
 *
 *     EMPTY_HANDLER_HZ=997 LD_PRELOAD=libbench_empty_handler.so PROGRAM
 *
 * Opens the event that the collector would open on every process, a perf
 * cpu-clock with sigtrap that later threads inherit, and handles its signal
 * by returning. A child of fork is watched from its exec on. Threads do not
 * block the signal, as they do not block ours: those of xz block all.
 */
#include <dlfcn.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int event_fd = -1;

static void do_nothing(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info, (void)context;
}

__attribute__((constructor)) static void begin(void)
{
    const char *rate = getenv("EMPTY_HANDLER_HZ");
    struct perf_event_attr event = {
        .type = PERF_TYPE_SOFTWARE,
        .config = PERF_COUNT_SW_CPU_CLOCK,
        .size = sizeof event,
        .exclude_hv = 1,
        .inherit = 1,
        .inherit_thread = 1,
        .sigtrap = 1,
        .remove_on_exec = 1};
    struct sigaction action = {
        .sa_sigaction = do_nothing,
        .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
    if (rate == NULL)
        return;
    (void)sigfillset(&action.sa_mask);
    (void)sigaction(SIGTRAP, &action, NULL);
    event.sample_period = 1000000000u / (unsigned)atoi(rate);
    event_fd = (int)syscall(
        SYS_perf_event_open, &event, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (event_fd < 0)
        abort();
}

typedef int mask_function(int, const sigset_t *, sigset_t *);

static int change_mask(
    const char *name, int how, const sigset_t *wanted, sigset_t *old)
{
    mask_function *real = (mask_function *)dlsym(RTLD_NEXT, name);
    sigset_t given;
    if (wanted == NULL || event_fd < 0)
        return real(how, wanted, old);
    given = *wanted;
    (void)sigdelset(&given, SIGTRAP);
    return real(how, &given, old);
}

__attribute__((visibility("default"))) int pthread_sigmask(
    int how, const sigset_t *wanted, sigset_t *old)
{
    return change_mask("pthread_sigmask", how, wanted, old);
}

__attribute__((visibility("default"))) int sigprocmask(
    int how, const sigset_t *wanted, sigset_t *old)
{
    return change_mask("sigprocmask", how, wanted, old);
}
