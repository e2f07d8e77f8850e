/*
 * watchfire record: run a program, sample it and what it starts, and write
 * what was seen.
 *
 * The program keeps its standard streams, exit status and signals. Our exit
 * status is its own, its fatal signal raised again; 0 becomes 1 when an output
 * failed or nothing could be sampled; 127 not found, 126 not executable; 2 the
 * command line is wrong.
 */
#include "tools/tool.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exporters/quality.h"
#include "profiler/base/clock.h"
#include "tools/attach.h"
#include "tools/crash_reports.h"
#include "tools/launch.h"
#include "tools/record_options.h"
#include "tools/record_reports.h"
#include "tools/session.h"

enum { TWICE_NS = 1000000000, WAIT_WITHOUT_PIDFD_MS = 100 };

struct run {
    struct record_options options;
    struct session session;
    struct crash_reports crashes;
    struct launch_inherited inherited; /* as we were started: the program's */
    pid_t pid;
    int wait_status;
    struct rusage usage;
    uint64_t interrupted_ns; /* the latest Ctrl-C */
    bool is_abandoned;       /* a second one: the program is left to itself */
};

static void describe_command(struct run *run)
{
    char line[TOOL_TEXT_BYTES];
    size_t used = 0;
    line[0] = '\0';
    for (char **at = run->options.command; *at != NULL && used < sizeof line;
         at++) {
        int more = snprintf(
            line + used, sizeof line - used, "%s%s", used ? " " : "", *at);
        used += more > 0 ? (size_t)more : 0;
    }
    session_describe(&run->session, line);
}

/* ---- waiting ---- */

/*
 * The terminal sends Ctrl-C to the program as well as to us; a signal that
 * somebody sent to us alone is handed on. A second one ends the wait.
 */
static void take_signals(struct run *run, int fd)
{
    struct signalfd_siginfo info;
    while (read(fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_code <= 0)
            (void)kill(run->pid, (int)info.ssi_signo);
        if (info.ssi_signo != SIGINT)
            continue;
        /* A program may use Ctrl-C as a key; twice at once means us. */
        uint64_t now = clock_now_ns(CLOCK_MONOTONIC);
        run->is_abandoned |= now - run->interrupted_ns < TWICE_NS;
        run->interrupted_ns = now;
    }
}

/* For systems without pidfd_open(2). */
static bool has_ended(const struct run *run)
{
    siginfo_t info = {.si_pid = 0};
    return waitid(P_PID, (id_t)run->pid, &info, WEXITED | WNOHANG | WNOWAIT) !=
               0 ||
           info.si_pid == run->pid;
}

/* Take samples until the program ends, or the duration does. */
static void wait_for_end(struct run *run, int signals, int pidfd)
{
    uint64_t end_ns = run->options.duration_ns ? clock_now_ns(CLOCK_MONOTONIC) +
                                                     run->options.duration_ns
                                               : 0;
    struct pollfd waits[] = {
        {.fd = session_fd(&run->session), .events = POLLIN},
        {.fd = signals, .events = POLLIN},
        {.fd = pidfd, .events = POLLIN}};

    while (!run->is_abandoned &&
           (end_ns == 0 || clock_now_ns(CLOCK_MONOTONIC) < end_ns)) {
        int wait_ms = session_wait_until_ms(&run->session, end_ns);
        if (pidfd < 0 && (wait_ms < 0 || wait_ms > WAIT_WITHOUT_PIDFD_MS))
            wait_ms = WAIT_WITHOUT_PIDFD_MS;
        int ready = poll(waits, 3, wait_ms);
        if (ready < 0 && errno != EINTR)
            break;
        if (ready > 0 && waits[1].revents != 0)
            take_signals(run, signals);
        session_run(&run->session);
        if (pidfd < 0 ? has_ended(run) : ready > 0 && waits[2].revents != 0)
            break;
    }
}

/* Sampling is over; the program may still run. */
static void wait_for_exit(struct run *run, int signals)
{
    struct pollfd wait = {.fd = signals, .events = POLLIN};
    pid_t gone;
    while ((gone = wait4(run->pid, &run->wait_status, WNOHANG, &run->usage)) ==
               0 &&
           !run->is_abandoned) {
        if (poll(&wait, 1, 20) > 0)
            take_signals(run, signals);
    }
    if (gone != run->pid)
        run->wait_status = (128 + SIGINT) << 8;
}

static uint64_t usage_ns(const struct rusage *usage)
{
    return ((uint64_t)usage->ru_utime.tv_sec +
            (uint64_t)usage->ru_stime.tv_sec) *
               1000000000u +
           ((uint64_t)usage->ru_utime.tv_usec +
            (uint64_t)usage->ru_stime.tv_usec) *
               1000u;
}

/* ---- the end ---- */

/* So much CPU time beside samples is worth a word on the other way. */
enum { ACCOUNT_MENTIONED = 4 };
#define ACCOUNT_MENTIONED_NS UINT64_C(100000000)

/* An agent needs some time to begin in each program, and has no end of it;
 * who may see all processors need not do with that. */
static void say_what_agents_miss(
    const struct run *run, const struct prof_collector_stats *stats)
{
    struct exp_quality quality = exp_quality_of(run->session.profile);
    if (geteuid() == 0 && stats->mode == PROF_CLOCK_PERF &&
        quality.account_ns >= ACCOUNT_MENTIONED_NS &&
        quality.account_ns > quality.sampled_ns / ACCOUNT_MENTIONED)
        say("%.0f %% of the CPU time was used where no agent is, as in "
            "programs "
            "that begin or end: --via perf samples that too",
            100.0 * (double)quality.account_ns / (double)quality.sampled_ns);
}

static void say_remarks(const struct run *run)
{
    struct prof_collector_stats stats =
        prof_collector_stats(run->session.collector);
    say_collector_remarks(&run->session);
    say_what_agents_miss(run, &stats);
    if (stats.processes == 0 && stats.failure.status == STATUS_OK)
        say("no process could be sampled: the agent was not loaded into '%s'",
            run->options.command[0]);
}

static void say_summary(const struct run *run)
{
    char line[3000];
    if (run->session.collector != NULL)
        say_remarks(run);
    else
        say_tap_remarks(&run->session);
    session_summarize(&run->session, line, sizeof line);
    say("%s", line);
}

static bool is_empty(const struct session *session)
{
    return session->collector != NULL
               ? prof_collector_stats(session->collector).processes == 0
               : prof_tap_stats(session->tap).processes == 0;
}

/* Our exit status, or the program's fatal signal once more. */
static int pass_on_status(int wait_status, bool is_failed)
{
    if (WIFSIGNALED(wait_status)) {
        /* The core dump was the program's; ours would overwrite it. */
        struct rlimit none = {0, 0};
        int number = WTERMSIG(wait_status);
        sigset_t set;
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)signal(number, SIG_DFL);
        (void)sigemptyset(&set);
        (void)sigaddset(&set, number);
        (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
        (void)raise(number);
        return 128 + number;
    }
    int status = WEXITSTATUS(wait_status);
    return status == 0 && is_failed ? EXIT_FAILED : status;
}

/*
 * What is sent to us is for the program; SIGCHLD must not be ignored, or its
 * status is lost; and a reader that went away must not end us.
 */
static void take_over_signals(struct run *run, sigset_t *taken)
{
    static const int numbers[] = {SIGINT,  SIGTERM, SIGHUP,
                                  SIGQUIT, SIGUSR1, SIGUSR2};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction standard = {.sa_handler = SIG_DFL};
    (void)sigemptyset(taken);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        (void)sigaddset(taken, numbers[i]);
    (void)sigprocmask(SIG_BLOCK, taken, &run->inherited.mask);
    (void)sigaction(SIGCHLD, &standard, &run->inherited.child);
    (void)sigaction(SIGPIPE, &ignore, &run->inherited.pipe);
}

static enum status watch_child(void *owner, pid_t pid, struct diag *diag)
{
    const struct session *session = owner;
    return prof_tap_watch(session->tap, (uint32_t)pid, diag);
}

static int run_program(struct run *run)
{
    struct diag diag = {.status = STATUS_OK};
    int exit_status = EXIT_FAILED;
    sigset_t taken;
    take_over_signals(run, &taken);
    int signals = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);

    const char *session = NULL; /* agents only know one */
    const struct launch_gate gate = {watch_child, &run->session};
    if (run->session.collector != NULL)
        session = prof_collector_session(run->session.collector);
    if (launch_start(
            run->options.command, session,
            run->session.tap != NULL ? &gate : NULL, &run->inherited, &run->pid,
            &exit_status, &diag) != STATUS_OK) {
        say("%s", diag.text);
        return exit_status;
    }
    int pidfd = (int)syscall(SYS_pidfd_open, run->pid, 0);
    wait_for_end(run, signals, pidfd);
    session_stop(&run->session);
    if (pidfd >= 0)
        (void)close(pidfd);

    /* With -d, what was seen is written before the program is waited for. */
    bool is_early = run->options.duration_ns != 0 || run->is_abandoned;
    if (!is_early)
        wait_for_exit(run, signals);
    size_t failed = session_finish(
        &run->session, is_early ? 0 : usage_ns(&run->usage), session_say, NULL);
    if (!is_early)
        record_note_exit(&run->session, run->wait_status);
    enum exp_session_status status =
        is_early ? EXP_SESSION_EXITED : record_session_status(run->wait_status);
    session_report_end(
        &run->session, crash_reports_session_status(&run->crashes, status));
    say_summary(run);
    record_finish_reports(&run->session);
    bool is_failed = failed > 0 || is_empty(&run->session);
    if (is_early)
        wait_for_exit(run, signals);
    (void)close(signals);
    session_settle(&run->session); /* which a fatal signal would cut short */
    return pass_on_status(run->wait_status, is_failed);
}

static enum status begin(struct run *run, struct diag *diag)
{
    const struct prof_tap_options outside = {
        .period_ns = run->options.collector.period_ns,
        .whom = PROF_TAP_CHILD,
        .is_wall = run->options.collector.is_wall};
    return run->options.via == PROF_WAY_PERF
               ? session_begin_tap(&run->session, &outside, diag)
               : session_begin(&run->session, &run->options.collector, diag);
}

static int record_command(struct record_options *options)
{
    struct run run = {.options = *options};
    struct diag diag = {.status = STATUS_OK};
    int exit_status;
    limits_lift(&run.inherited.limits);
    run.session.outputs.options = run.options.output;
    run.session.remark = say_text;
    if (launch_check(
            run.options.command[0], run.options.via == PROF_WAY_PERF,
            &exit_status, &diag) != STATUS_OK) {
        say("%s", diag.text);
        return exit_status;
    }
    record_begin_reports(&run.options, &run.session);
    run.crashes.pattern = options->crashes;
    crash_reports_ask(&run.crashes, &run.session, &run.options.collector);
    if (limits_check(&diag) != STATUS_OK ||
        record_prepare_outputs(&run.options, &run.session, &diag) != STATUS_OK)
        return say_failure(&diag);
    if (begin(&run, &diag) == STATUS_OK) {
        describe_command(&run);
        exit_status = run_program(&run);
    } else {
        exit_status = say_failure(&diag);
    }
    session_end(&run.session);
    return exit_status;
}

int record_main(int argc, char **argv)
{
    struct record_options options = record_options_default();
    int exit_status = record_options_parse(&options, argc, argv);
    if (exit_status != EXIT_DONE)
        return exit_status;
    if (options.processes.count + options.threads.count > 0)
        return attach_record(&options);
    return options.command != NULL ? record_command(&options) : EXIT_DONE;
}
