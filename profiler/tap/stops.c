/* Sampling by stopping; see the header. */
#include "profiler/tap/stops.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/base/cycles_x86_64.h"
#include "profiler/collector/process_files.h"
#include "profiler/tap/catch.h"
#include "profiler/tap/processors.h"
#include "profiler/tap/rests.h"
#include "profiler/tap/roster.h"
#include "profiler/tap/sleepers.h"

#define LEAST_PERIOD_NS (UINT64_C(1000000000) / PROF_STOPS_MOST_HZ)
#define CLOCKS_NS       UINT64_C(50000000)

/* What a pass over all threads may take of the time. */
enum { PASS_SHARE = 10 };

/* From when it is decided on, which disturbs a processor, to the moment. */
#define LEAD_NS  UINT64_C(100000)
#define LATER_NS UINT64_C(400000)

struct prof_stops {
    struct prof_tap_common common;
    struct prof_stops_options options;
    struct prof_roster roster;
    struct prof_stops_stats stats;
    int epoll, timer;
    uint64_t next_ns, clocks_ns;
    struct prof_processors processors;
    struct prof_catch catch;
};

/* ---- the clock ---- */

static void arm(struct prof_stops *stops, uint64_t now_ns, uint64_t pass_ns)
{
    uint64_t period_ns = stops->common.period_ns /
                         prof_processors_count(&stops->processors, now_ns);
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

static bool wants_chain(void *owner, uint32_t pid)
{
    struct prof_stops *stops = owner;
    const struct prof_tap_process *process =
        prof_roster_process(&stops->roster, pid);
    return process != NULL && process->code != NULL &&
           prof_code_has_go(process->code);
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
    made->catch.threads = &made->roster.threads;
    made->catch.wants_chain = wants_chain;
    made->catch.owner = made;
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

static void add_sample(struct prof_stops *stops)
{
    const struct prof_catch *caught = &stops->catch;
    struct prof_roster_thread *watched = caught->thread;
    struct prof_tap_process *process =
        prof_roster_process(&stops->roster, watched->pid);
    struct prof_tap_thread *thread =
        process != NULL ? prof_tap_process_thread(process, watched->tid) : NULL;
    if (thread == NULL || caught->cpu_ns <= watched->seen_ns)
        return;
    const struct prof_tap_moment moment = {
        .time_ns = clock_now_ns(CLOCK_MONOTONIC),
        .weight_ns = caught->cpu_ns - watched->seen_ns,
        .regs = &caught->regs,
        .stack = caught->stack,
        .stack_bytes = caught->stack_bytes,
        .chain = caught->chain,
        .chain_count = caught->chain_count};
    prof_tap_process_add(process, thread, &moment);
    watched->seen_ns = caught->cpu_ns;
}

static void count_stop(struct prof_stops_stats *stats, uint64_t held_ns)
{
    uint64_t step = held_ns / PROF_STOPS_STEP_NS;
    stats->stops++;
    stats->lengths[step < PROF_STOPS_STEPS ? step : PROF_STOPS_STEPS - 1]++;
    if (held_ns > stats->longest_ns)
        stats->longest_ns = held_ns;
}

static void catch_one(struct prof_stops *stops, uint64_t now_ns)
{
    struct prof_catch *caught = &stops->catch;
    struct prof_hold hold;
    caught->processor = prof_processors_next(&stops->processors, now_ns);
    caught->moment_ns =
        clock_now_ns(CLOCK_MONOTONIC) + LEAD_NS + cycles_random() % LATER_NS;
    enum prof_hold_end end = prof_catch_run(caught, &hold);
    if (end == PROF_HOLD_REFUSED)
        note_refusal(stops, caught->thread, hold.error);
    stops->stats.late += end == PROF_HOLD_LATE;
    if (end == PROF_HOLD_DONE)
        count_stop(&stops->stats, hold.held_ns);
    if (caught->thread != NULL && caught->cpu_ns != 0)
        add_sample(stops);
}

/* Where those are that have run since. */
static void place(struct prof_stops *stops, uint64_t now_ns)
{
    const struct table *threads = &stops->roster.threads;
    for (uint32_t i = 0; i < threads->count; i++) {
        struct prof_roster_thread *thread = table_row(threads, i);
        struct prof_look look;
        if (!prof_task_read_usage(&thread->files, &look) ||
            look.cpu_ns == thread->placed_ns)
            continue;
        thread->placed_ns = look.cpu_ns;
        prof_processors_note(
            &stops->processors, prof_task_read_processor(&thread->files),
            now_ns);
    }
}

static void read_clocks(struct prof_stops *stops, uint64_t now_ns)
{
    if (now_ns - stops->clocks_ns < CLOCKS_NS)
        return;
    stops->clocks_ns = now_ns;
    place(stops, now_ns);
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
    catch_one(stops, now_ns);
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
