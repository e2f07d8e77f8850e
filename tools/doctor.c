/*
 * watchfire doctor: what this system permits, and the one command that would
 * permit more. Each answer comes from trying, not from reading settings. With
 * -p, which ways there are to sample a process that runs.
 */
#include "tools/tool.h"

#include <dlfcn.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
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
#include "profiler/tap/ways.h"
#include "tools/process_list.h"

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

/* ---- a process ---- */

/* "limited" is a way that takes something from the process. */
static void tell_way(enum prof_way way, const struct prof_ways *ways)
{
    static const char *const open_ways[PROF_WAYS] = {
        [PROF_WAY_PERF] = "perf events: nothing enters it or stops it",
        [PROF_WAY_INJECT] = "an agent may be brought into it",
        [PROF_WAY_PTRACE] = "its threads may be stopped, each for a moment"};
    char name[32];
    (void)snprintf(name, sizeof name, "--via %s", prof_way_name(way));
    if (ways->refusals[way].status != STATUS_OK)
        tell(MISSING, name, ways->refusals[way].text);
    else if (way == PROF_WAY_PERF && ways->user_only.status != STATUS_OK)
        tell(LIMITED, name, ways->user_only.text);
    else
        tell(way == PROF_WAY_PTRACE ? LIMITED : GOOD, name, open_ways[way]);
}

/* Whether there is a way to sample it. */
static bool check_process(uint32_t pid, bool is_headed)
{
    struct prof_ways ways;
    bool is_open = false;
    prof_ways_judge(pid, &ways);
    if (is_headed)
        (void)printf("process %" PRIu32 ":\n", pid);
    if (ways.reach.status != STATUS_OK) {
        tell(MISSING, "any way", ways.reach.text);
        return false;
    }
    for (enum prof_way way = 0; way < PROF_WAYS; way++) {
        tell_way(way, &ways);
        is_open |= ways.refusals[way].status == STATUS_OK;
    }
    return is_open;
}

static int check_processes(const struct process_list *processes)
{
    bool are_open = true;
    for (uint32_t i = 0; i < processes->count; i++)
        are_open &= check_process(processes->ids[i], processes->count > 1);
    return are_open ? EXIT_DONE : EXIT_FAILED;
}

static int check_system(void)
{
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

/* ---- the command ---- */

static const char help[] =
    "Usage: watchfire doctor [-p PROCESS,...]\n"
    "Tell what this system permits, and what would permit more; or which ways\n"
    "there are to sample a process that runs, and why there are no others: it\n"
    "is asked, and not touched.\n"
    "\n"
    "  -p, --pid PROCESS\n"
    "                 a pid, or the name of a program that runs once; several\n"
    "                 are separated by commas\n"
    "  -h, --help     this text\n"
    "\n"
    "Exit status 1 when programs cannot be sampled at all, or such a process\n"
    "cannot.\n";

int doctor_main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"help", no_argument, NULL, 'h'},
        {"pid", required_argument, NULL, 'p'},
        {NULL, 0, NULL, 0}};
    static struct process_list processes;
    struct diag diag = {.status = STATUS_OK};
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "+:p:h", long_options, NULL)) !=
           -1) {
        if (option == 'h') {
            (void)fputs(help, stdout);
            return EXIT_DONE;
        }
        if (option == ':')
            return say_usage(
                "doctor", "%s wants an argument", argv[optind - 1]);
        if (option == '?')
            return say_usage("doctor", "%s is not an option", argv[optind - 1]);
        if (process_list_add(&processes, optarg, &diag) != STATUS_OK)
            return say_failure(&diag);
    }
    if (optind < argc)
        return say_usage("doctor", "'%s' is not an option", argv[optind]);
    return processes.count > 0 ? check_processes(&processes) : check_system();
}
