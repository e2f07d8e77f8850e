/*
 * watchfire doctor: what this system permits, and the one command that would
 * permit more. Each answer comes from trying, not from reading settings.
 */
#include "tools/tool.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "profiler/collector/perf_clock.h"

enum verdict { GOOD, LIMITED, MISSING };

static void tell(enum verdict verdict, const char *what, const char *answer)
{
    static const char *const marks[] = {"ok", "limited", "missing"};
    (void)printf("%-8s %-18s %s\n", marks[verdict], what, answer);
}

static enum verdict check_kernel(void)
{
    struct utsname name;
    char answer[sizeof name.release + sizeof name.machine + 8];
    if (uname(&name) != 0)
        return MISSING;
    bool is_ours = strcmp(name.machine, "x86_64") == 0;
    (void)snprintf(
        answer, sizeof answer, "Linux %s, %s", name.release, name.machine);
    tell(is_ours ? GOOD : MISSING, "system", answer);
    return is_ours ? GOOD : MISSING;
}

static enum verdict check_perf(void)
{
    struct diag diag = {.status = STATUS_OK};
    enum prof_clock_mode mode = prof_perf_clock_probe(&diag);
    enum verdict verdict = mode == PROF_CLOCK_PERF ? GOOD : LIMITED;
    tell(
        verdict, "clock",
        mode == PROF_CLOCK_PERF ? "perf events, user and kernel time"
                                : diag.text);
    return verdict;
}

/* A timer of our own, asked for its resolution. */
static enum verdict check_timer(void)
{
    char answer[256];
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    if (timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer) != 0) {
        (void)snprintf(
            answer, sizeof answer, "CPU-clock timers are refused: %s",
            strerror(errno));
        tell(MISSING, "fallback clock", answer);
        return MISSING;
    }
    (void)timer_delete(timer);
    struct timespec tick;
    (void)clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
    (void)snprintf(
        answer, sizeof answer, "CPU-clock timers, at most %.0f Hz here",
        1e9 / (double)tick.tv_nsec);
    tell(GOOD, "fallback clock", answer);
    return GOOD;
}

static enum verdict check_memory(void)
{
    int fd = memfd_create("watchfire-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) {
        char answer[256];
        (void)snprintf(
            answer, sizeof answer, "memfd_create is refused: %s",
            strerror(errno));
        tell(MISSING, "shared memory", answer);
        return MISSING;
    }
    (void)close(fd);
    tell(GOOD, "shared memory", "sealed memfd");
    return GOOD;
}

static enum verdict check_sockets(void)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        tell(MISSING, "sockets", "Unix sockets are refused");
        return MISSING;
    }
    (void)close(fd);
    int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (pidfd >= 0)
        (void)close(pidfd);
    tell(
        pidfd >= 0 ? GOOD : MISSING, "processes",
        pidfd >= 0 ? "Unix sockets, pidfd_open"
                   : "pidfd_open is refused; Linux 5.3 has it");
    return pidfd >= 0 ? GOOD : MISSING;
}

/* Only --unwinder=libunwind needs it. */
static enum verdict check_reference(void)
{
    void *library = dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL);
    tell(
        library ? GOOD : LIMITED, "reference",
        library ? "libunwind.so.8, for --unwinder=libunwind"
                : "libunwind.so.8 cannot be loaded, so there is no "
                  "--unwinder=libunwind; apt-get install libunwind8 would "
                  "bring it");
    if (library == NULL)
        return LIMITED;
    (void)dlclose(library);
    return GOOD;
}

static enum verdict check_symbols(void)
{
    bool has_debug = access("/usr/lib/debug/.build-id", R_OK) == 0;
    tell(
        GOOD, "debug files",
        has_debug ? "/usr/lib/debug"
                  : "none under /usr/lib/debug; functions still get names "
                    "from symbol tables");
    return GOOD;
}

int doctor_main(int argc, char **argv)
{
    if (argc > 1) {
        bool is_help =
            strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0;
        if (!is_help)
            return say_usage("doctor", "'%s' is not an option", argv[1]);
        (void)puts(
            "Usage: watchfire doctor\n"
            "Tell what this system permits, and what would permit more.\n"
            "Exit status 1 when programs cannot be sampled at all.");
        return EXIT_DONE;
    }
    static enum verdict (*const checks[])(void) = {
        check_kernel,  check_perf,      check_timer,  check_memory,
        check_sockets, check_reference, check_symbols};
    enum verdict worst = GOOD;
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        enum verdict verdict = checks[i]();
        worst = verdict > worst ? verdict : worst;
    }
    return worst == MISSING ? EXIT_FAILED : EXIT_DONE;
}
