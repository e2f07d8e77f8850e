/* Sampling by stopping; see the header. */
#include "profiler/tap/stops.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/base/cycles_x86_64.h"
#include "profiler/collector/process_files.h"
#include "profiler/tap/lead.h"
#include "profiler/tap/post.h"
#include "profiler/tap/processors.h"
#include "profiler/tap/rests.h"
#include "profiler/tap/roster.h"
#include "profiler/tap/sleepers.h"

#define LEAST_PERIOD_NS (UINT64_C(1000000000) / PROF_STOPS_MOST_HZ)
#define CLOCKS_NS       UINT64_C(50000000)

/* What stops may take of a processor's time. */
enum { PASS_SHARE = 10 };

/* From when it is decided on, which disturbs a processor, to the moment. */
#define LEAD_NS  UINT64_C(100000)
#define LATER_NS UINT64_C(400000)

struct prof_stops {
    struct prof_tap_common common;
    struct prof_stops_options options;
    struct prof_roster roster;
    struct prof_stops_stats stats;
    struct prof_tap_lead lead;
    int epoll, timer, told;
    uint64_t next_ns, clocks_ns;
    struct prof_processors processors;
    struct prof_stand {
        struct prof_post *post; /* NULL: nobody has run there yet */
        uint64_t moment_ns;     /* of its last order */
        uint64_t cost_ns;       /* of what came of it */
    } stands[PROF_PROCESSORS_MOST];
};

/* ---- the clock ---- */

/* For all that is not told: who is new, who has ended, who sleeps. */
static void arm(struct prof_stops *stops, uint64_t now_ns, uint64_t pass_ns)
{
    uint64_t wait_ns = stops->common.period_ns;
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
    made->told = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    made->epoll = epoll_create1(EPOLL_CLOEXEC);
    prof_roster_init(&made->roster, &made->common, made->epoll);
    if (options->is_wall) { /* two share them */
        made->roster.files.most /= 2;
        made->common.looks.limit.most /= 2;
    }
    struct epoll_event event = {.events = EPOLLIN};
    if (made->timer < 0 || made->told < 0 || made->epoll < 0 ||
        epoll_ctl(made->epoll, EPOLL_CTL_ADD, made->timer, &event) != 0 ||
        epoll_ctl(made->epoll, EPOLL_CTL_ADD, made->told, &event) != 0) {
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
    prof_tap_lead_end(&stops->lead);
    for (uint32_t i = 0; i < stops->processors.end; i++)
        prof_post_destroy(stops->stands[i].post);
    prof_roster_fini(&stops->roster);
    prof_tap_common_fini(&stops->common);
    if (stops->timer >= 0)
        (void)close(stops->timer);
    if (stops->told >= 0)
        (void)close(stops->told);
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
    struct prof_stops *stops, const struct prof_catch *caught)
{
    uint32_t tracer = prof_process_files_status(caught->tid, "TracerPid");
    if (stops->stats.refusal.status != STATUS_OK)
        return;
    if (tracer != 0)
        (void)fail(
            &stops->stats.refusal, STATUS_NOT_PERMITTED,
            "threads of process %" PRIu32
            " were not sampled while process %" PRIu32 " traced it",
            caught->pid, tracer);
    else
        (void)fail(
            &stops->stats.refusal, STATUS_NOT_PERMITTED,
            "threads of process %" PRIu32
            " were not sampled, as ptrace(2) was refused: %s",
            caught->pid, strerror(caught->error));
}

static void add_sample(
    struct prof_stops *stops, const struct prof_catch *caught,
    struct prof_roster_thread *watched)
{
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

static void add_caught(
    struct prof_stops *stops, const struct prof_catch *caught)
{
    if (caught->end == PROF_HOLD_REFUSED)
        note_refusal(stops, caught);
    if (caught->end == PROF_HOLD_DONE)
        count_stop(&stops->stats, caught->held_ns);
    (void)pthread_mutex_lock(&stops->roster.gate);
    struct prof_roster_thread *thread =
        prof_roster_thread(&stops->roster, caught->tid);
    if (thread != NULL)
        thread->is_held = false;
    (void)pthread_mutex_unlock(&stops->roster.gate);
    /* Only we change which rows there are, and what was seen. */
    if (thread != NULL && thread->pid == caught->pid && caught->cpu_ns != 0)
        add_sample(stops, caught, thread);
}

/* ---- a processor ---- */

/*
 * When the next moment is there, once this one is over: by chance, and if we
 * come late, not at once, for then it is we who were at work.
 */
static uint64_t moment_after(
    const struct prof_stops *stops, const struct prof_stand *stand)
{
    uint64_t period_ns = stops->common.period_ns;
    uint64_t wait_ns = period_ns * 3 / 4 + cycles_random() % (period_ns / 2);
    uint64_t least_ns = stand->cost_ns * PASS_SHARE;
    uint64_t soon_ns = clock_now_ns(CLOCK_MONOTONIC) + LEAD_NS;
    uint64_t moment_ns =
        stand->moment_ns + (wait_ns < least_ns ? least_ns : wait_ns);
    return moment_ns < soon_ns ? soon_ns + cycles_random() % LATER_NS
                               : moment_ns;
}

static void order(struct prof_stops *stops, uint32_t processor)
{
    struct prof_stand *stand = &stops->stands[processor];
    if (stand->post == NULL)
        stand->post = prof_post_create(&stops->roster, processor, stops->told);
    if (stand->post == NULL || !prof_post_is_free(stand->post))
        return;
    stand->moment_ns = moment_after(stops, stand);
    (void)prof_post_order(stand->post, stand->moment_ns);
}

static void take(struct prof_stops *stops, struct prof_stand *stand)
{
    uint64_t begin_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID);
    const struct prof_catch *caught =
        stand->post != NULL ? prof_post_take(stand->post, &stand->cost_ns)
                            : NULL;
    if (caught == NULL)
        return;
    add_caught(stops, caught);
    stand->cost_ns += clock_now_ns(CLOCK_THREAD_CPUTIME_ID) - begin_ns;
}

static void tend_stands(struct prof_stops *stops, uint64_t now_ns)
{
    uint64_t told;
    (void)!read(stops->told, &told, sizeof told);
    for (uint32_t i = 0; i < stops->processors.end; i++) {
        take(stops, &stops->stands[i]);
        if (prof_processors_has(&stops->processors, i, now_ns))
            order(stops, i);
    }
}

/* ---- all of them ---- */

/* Go's stacks are not all where the stack pointer is. */
static bool has_chain(struct prof_stops *stops, uint32_t pid)
{
    const struct prof_tap_process *process =
        prof_roster_process(&stops->roster, pid);
    return process != NULL && process->code != NULL &&
           prof_code_has_go(process->code);
}

/* Where those are that have run since. */
static void place(struct prof_stops *stops, uint64_t now_ns)
{
    const struct table *threads = &stops->roster.threads;
    for (uint32_t i = 0; i < threads->count; i++) {
        struct prof_roster_thread *thread = table_row(threads, i);
        struct prof_look look;
        (void)pthread_mutex_lock(&stops->roster.gate);
        if (prof_task_read_usage(&thread->files, &look) &&
            look.cpu_ns != thread->placed_ns) {
            thread->placed_ns = look.cpu_ns;
            thread->has_chain = has_chain(stops, thread->pid);
            prof_processors_note(
                &stops->processors, prof_task_read_processor(&thread->files),
                now_ns);
        }
        (void)pthread_mutex_unlock(&stops->roster.gate);
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

static void look_at_all(struct prof_stops *stops, uint64_t now_ns)
{
    uint64_t expired;
    uint64_t begin_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID);
    (void)!read(stops->timer, &expired, sizeof expired);
    prof_sleepers_begin(stops->roster.processes, false);
    prof_roster_refresh(&stops->roster, now_ns);
    read_clocks(stops, now_ns);
    prof_sleepers_look(&stops->common, stops->roster.processes);
    prof_tap_lead_tend(&stops->lead);
    arm(stops, now_ns, clock_now_ns(CLOCK_THREAD_CPUTIME_ID) - begin_ns);
}

void prof_stops_run(struct prof_stops *stops)
{
    uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
    prof_tap_lead_begin(&stops->lead);
    tend_stands(stops, now_ns);
    if (now_ns >= stops->next_ns)
        look_at_all(stops, now_ns);
}

void prof_stops_finish(struct prof_stops *stops)
{
    for (uint32_t i = 0; i < stops->processors.end; i++) {
        struct prof_stand *stand = &stops->stands[i];
        if (stand->post != NULL)
            prof_post_wait(stand->post);
        take(stops, stand);
    }
    prof_tap_lead_end(&stops->lead);
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
