/* Sampling by stopping; see the header. */
#include "profiler/tap/stops.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "profiler/attach/tracee.h"
#include "profiler/base/clock.h"
#include "profiler/base/cycles_x86_64.h"
#include "profiler/collector/process_files.h"
#include "profiler/tap/rests.h"
#include "profiler/tap/roster.h"
#include "profiler/tap/sleepers.h"
#include "profiler/unwind/process_reader.h"

#define LEAST_PERIOD_NS (UINT64_C(1000000000) / PROF_STOPS_MOST_HZ)
#define CLOCKS_NS       UINT64_C(50000000)

/* Who runs stops within 0.1 ms, wherever that is. Who only waits for his turn
 * may take long, and has not been at work at this tick. */
#define PATIENCE_NS     UINT64_C(2000000)

/* What a pass over all threads may take of the time. */
enum { PASS_SHARE = 10 };

/* The innermost part; what is deeper is completed when the thread runs. */
enum { COPY_BYTES = 49152 };

struct prof_stops {
    struct prof_tap_common common;
    struct prof_stops_options options;
    struct prof_roster roster;
    struct prof_stops_stats stats;
    int epoll, timer;
    uint64_t next_ns, clocks_ns;

    /* Of the thread that is held. */
    struct prof_roster_thread *held;
    struct prof_regs regs;
    uint64_t cpu_ns; /* its clock; 0: it is not the one that was meant */
    uint64_t stack_bytes;
    uint64_t chain_count; /* of the frame pointers' chain, where Go is */
    uint64_t chain[1 + PROF_FRAME_CHAIN_MOST];
    uint8_t stack[COPY_BYTES];
};

/* ---- the clock ---- */

static void arm(struct prof_stops *stops, uint64_t now_ns, uint64_t pass_ns)
{
    uint64_t period_ns = stops->common.period_ns;
    uint64_t wait_ns = period_ns * 3 / 4 + cycles_random() % (period_ns / 2);
    if (wait_ns < pass_ns * PASS_SHARE)
        wait_ns = pass_ns * PASS_SHARE;
    stops->next_ns = now_ns + wait_ns;
    const struct itimerspec when = {
        .it_value = {
            .tv_sec = (time_t)(stops->next_ns / 1000000000u),
            .tv_nsec = (long)(stops->next_ns % 1000000000u)}};
    (void)timerfd_settime(stops->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

enum status prof_stops_create(
    struct prof_stops **stops, struct prof_profile *profile,
    const struct prof_stops_options *options, struct diag *diag)
{
    struct prof_stops *made = calloc(1, sizeof *made);
    if (made == NULL)
        return fail(diag, STATUS_NO_MEMORY, "out of memory");
    uint64_t period_ns = options->period_ns;
    if (period_ns < LEAST_PERIOD_NS)
        period_ns = LEAST_PERIOD_NS;
    prof_tap_common_init(&made->common, profile, period_ns, options->is_wall);
    made->common.is_by_thread = options->is_by_thread;
    made->common.is_untold = true;
    made->options = *options;
    made->stats.period_ns = period_ns;
    made->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    made->epoll = epoll_create1(EPOLL_CLOEXEC);
    prof_roster_init(&made->roster, &made->common, made->epoll);
    if (options->is_wall) { /* two share them */
        made->roster.files.most /= 2;
        made->common.looks.limit.most /= 2;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.fd = made->timer};
    if (made->timer < 0 || made->epoll < 0 ||
        epoll_ctl(made->epoll, EPOLL_CTL_ADD, made->timer, &event) != 0) {
        enum status status = fail(diag, STATUS_SYSTEM, "timerfd_create");
        prof_stops_destroy(made);
        return status;
    }
    arm(made, clock_now_ns(CLOCK_MONOTONIC), 0);
    *stops = made;
    return STATUS_OK;
}

void prof_stops_destroy(struct prof_stops *stops)
{
    if (stops == NULL)
        return;
    prof_roster_fini(&stops->roster);
    prof_tap_common_fini(&stops->common);
    if (stops->timer >= 0)
        (void)close(stops->timer);
    if (stops->epoll >= 0)
        (void)close(stops->epoll);
    free(stops);
}

int prof_stops_fd(const struct prof_stops *stops)
{
    return stops->epoll;
}

/* ---- whom ---- */

enum status prof_stops_watch(
    struct prof_stops *stops, uint32_t pid, struct diag *diag)
{
    return prof_roster_name(&stops->roster, pid, 0, diag);
}

enum status prof_stops_watch_thread(
    struct prof_stops *stops, uint32_t pid, uint32_t tid, struct diag *diag)
{
    return prof_roster_name(&stops->roster, pid, tid, diag);
}

bool prof_stops_are_over(const struct prof_stops *stops)
{
    return prof_tap_named_are_over(&stops->roster.named);
}

/* ---- a thread ---- */

/*
 * While it is held. Its clock is read from the file that was opened for it, if
 * descriptors suffice: were its id another thread's by now, there would be
 * nothing to read.
 */
static void copy_held(void *owner, const struct prof_regs *regs)
{
    struct prof_stops *stops = owner;
    struct prof_look look;
    stops->cpu_ns = 0;
    if (!prof_task_read_usage(&stops->held->files, &look))
        return;
    stops->cpu_ns = look.cpu_ns;
    stops->regs = *regs;
    stops->stack_bytes = prof_process_copy(
        (pid_t)stops->held->tid, regs->value[PROF_REG_SP], stops->stack,
        sizeof stops->stack);
    stops->chain_count = 0;
    const struct prof_tap_process *process =
        prof_roster_process(&stops->roster, stops->held->pid);
    if (process == NULL || process->code == NULL ||
        !prof_code_has_go(process->code))
        return;
    stops->chain[0] = (uint64_t)PERF_CONTEXT_USER;
    stops->chain_count =
        1 +
        prof_frame_chain_read((pid_t)stops->held->tid, regs, stops->chain + 1);
}

static void note_refusal(
    struct prof_stops *stops, const struct prof_roster_thread *watched,
    int error)
{
    uint32_t tracer = prof_process_files_status(watched->tid, "TracerPid");
    /* A thread of ours that came late to hold it, or was until just now. */
    bool is_ours =
        tracer != 0 ? prof_process_files_has_thread((uint32_t)getpid(), tracer)
                    : stops->stats.late > 0;
    if (stops->stats.refusal.status != STATUS_OK || is_ours)
        return;
    if (tracer != 0)
        (void)fail(
            &stops->stats.refusal, STATUS_NOT_PERMITTED,
            "threads of process %" PRIu32
            " were not sampled while process %" PRIu32 " traced it",
            watched->pid, tracer);
    else
        (void)fail(
            &stops->stats.refusal, STATUS_NOT_PERMITTED,
            "threads of process %" PRIu32
            " were not sampled, as ptrace(2) was refused: %s",
            watched->pid, strerror(error));
}

static void add_sample(
    struct prof_stops *stops, struct prof_roster_thread *watched)
{
    struct prof_tap_process *process =
        prof_roster_process(&stops->roster, watched->pid);
    struct prof_tap_thread *thread =
        process != NULL ? prof_tap_process_thread(process, watched->tid) : NULL;
    if (thread == NULL || stops->cpu_ns <= watched->seen_ns)
        return;
    const struct prof_tap_moment moment = {
        .time_ns = clock_now_ns(CLOCK_MONOTONIC),
        .weight_ns = stops->cpu_ns - watched->seen_ns,
        .regs = &stops->regs,
        .stack = stops->stack,
        .stack_bytes = stops->stack_bytes,
        .chain = stops->chain,
        .chain_count = stops->chain_count};
    prof_tap_process_add(process, thread, &moment);
    watched->seen_ns = stops->cpu_ns;
}

static void hold(struct prof_stops *stops, struct prof_roster_thread *watched)
{
    struct prof_hold hold = {
        .tid = watched->tid,
        .is_running = true,
        .patience_ns = PATIENCE_NS,
        .visit = copy_held,
        .owner = stops};
    stops->held = watched;
    enum prof_hold_end end = prof_tracee_hold(&hold);
    if (end == PROF_HOLD_REFUSED)
        note_refusal(stops, watched, hold.error);
    watched->is_late = end == PROF_HOLD_LATE;
    stops->stats.late += watched->is_late;
    if (end != PROF_HOLD_DONE)
        return;
    stops->stats.stops++;
    if (hold.held_ns > stops->stats.longest_ns)
        stops->stats.longest_ns = hold.held_ns;
    add_sample(stops, watched);
}

/* Stop it if it runs. */
static void look(struct prof_stops *stops, struct prof_roster_thread *watched)
{
    struct prof_look now;
    watched->is_late = watched->is_late && prof_process_files_status(
                                               watched->tid, "TracerPid") != 0;
    if (watched->is_gone || watched->is_late)
        return;
    watched->is_gone = !prof_task_read_usage(&watched->files, &now) ||
                       now.cpu_ns < watched->looked_ns;
    bool has_run = !watched->is_gone && now.cpu_ns != watched->looked_ns;
    watched->looked_ns = now.cpu_ns;
    if (has_run && prof_task_read_state(&watched->files) == PROF_STATE_ON_CPU)
        hold(stops, watched);
}

static void read_clocks(struct prof_stops *stops, uint64_t now_ns)
{
    if (now_ns - stops->clocks_ns < CLOCKS_NS)
        return;
    stops->clocks_ns = now_ns;
    prof_sleepers_begin(stops->roster.processes, true);
    prof_roster_read_clocks(&stops->roster, now_ns);
}

void prof_stops_run(struct prof_stops *stops)
{
    uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC), expired;
    if (now_ns < stops->next_ns)
        return;
    (void)!read(stops->timer, &expired, sizeof expired);
    prof_sleepers_begin(stops->roster.processes, false);
    prof_roster_refresh(&stops->roster, now_ns);
    uint64_t begin_ns = clock_now_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (uint32_t i = 0; i < stops->roster.threads.count; i++)
        look(stops, table_row(&stops->roster.threads, i));
    read_clocks(stops, now_ns);
    prof_sleepers_look(&stops->common, stops->roster.processes);
    uint64_t end_ns = clock_now_ns(CLOCK_PROCESS_CPUTIME_ID);
    arm(stops, now_ns, end_ns - begin_ns);
}

void prof_stops_finish(struct prof_stops *stops)
{
    prof_tracee_settle();
    prof_roster_drop_all(&stops->roster);
    prof_tap_rests_close(&stops->common, 0, 0);
}

struct prof_stops_stats prof_stops_stats(const struct prof_stops *stops)
{
    struct prof_stops_stats stats = stops->stats;
    stats.samples = stops->common.sample_count;
    stats.processes = stops->roster.process_count;
    stats.sleep_refusal = stops->common.looks.refusal;
    return stats;
}

const struct prof_kept_files *prof_stops_kept_files(
    const struct prof_stops *stops)
{
    return &stops->common.build_ids.kept;
}
