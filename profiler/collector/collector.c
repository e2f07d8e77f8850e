/* The collector: follows a process tree and drains its rings. */
#include "profiler/collector/collector.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/collector/account_rest.h"
#include "profiler/collector/collector_model.h"
#include "profiler/collector/target_drain.h"

enum {
    WAIT_MAX_MS = 100,
    WAIT_MIN_MS = 2,
    WAIT_CHANGING_MS = 4, /* prof_target.changing_until_ns */
    EVENTS_AT_ONCE = 16,
    REQUESTS_AT_ONCE = 256, /* then rings come first */
    SETTLE_MS = 1000,
};

enum status prof_collector_create(
    struct prof_collector **collector, struct prof_profile *profile,
    const struct prof_collector_options *options, struct diag *diag)
{
    struct prof_collector *made = calloc(1, sizeof *made);
    if (made == NULL)
        return fail(diag, STATUS_NO_MEMORY, "out of memory");

    uint32_t wall = PROF_NONE; /* the event that was asked for comes first */
    if (options->is_wall)
        wall = prof_profile_add_value_type(profile, "wall", "nanoseconds");
    made->common = (struct prof_target_common){
        .profile = profile,
        .is_wall = options->is_wall,
        .value_wall = wall,
        .period_ns = options->period_ns,
        .governed_ns = options->period_ns,
        .best_mode = options->best_mode,
        .spans = options->spans,
        .wish = options->wish,
        .is_at_rest = options->wish != PROF_SAMPLES_ALWAYS,
        .value_cpu = prof_profile_add_value_type(profile, "cpu", "nanoseconds"),
        .value_samples =
            prof_profile_add_value_type(profile, "samples", "count")};
    prof_strays_init(&made->strays, profile, made->common.value_cpu, wall);
    prof_build_ids_init(&made->common.build_ids);
    if (!options->is_reference_wanted && options->refusal == NULL)
        made->common.tables = prof_tables_create(profile);
    prof_looks_common_init(&made->common.looks, options->period_ns);
    prof_overhead_init(
        &made->overhead, options->max_overhead > 0 ? options->max_overhead : 1,
        options->period_ns);
    made->wait_ms = WAIT_MAX_MS;
    made->is_waited_for = options->is_waited_for;
    made->is_reference_wanted = options->is_reference_wanted;
    made->refusal = options->refusal;
    prof_listener_init(&made->listener);
    prof_crashes_init(&made->crashes, &options->crashes);

    made->epoll = epoll_create1(EPOLL_CLOEXEC);
    enum status status =
        made->epoll < 0 ? fail(diag, STATUS_SYSTEM, "epoll_create1")
        : options->session
            ? prof_listener_adopt(
                  &made->listener, options->socket, options->session, diag)
            : prof_listener_open(&made->listener, diag);
    if (status == STATUS_OK)
        status = prof_listener_watch(&made->listener, made->epoll, diag);
    int files = prof_kept_files_watch(&made->common.build_ids.kept);
    if (status == STATUS_OK && files >= 0)
        (void)prof_collector_watch(made, files);
    if (status != STATUS_OK) {
        prof_collector_destroy(made);
        return status;
    }
    *collector = made;
    return STATUS_OK;
}

void prof_collector_destroy(struct prof_collector *collector)
{
    if (collector == NULL)
        return;
    while (collector->targets != NULL)
        prof_collector_remove(collector, &collector->targets);
    prof_collector_release(collector, NULL);
    prof_listener_close(&collector->listener);
    prof_strays_fini(&collector->strays);
    prof_crashes_fini(&collector->crashes);
    prof_build_ids_fini(&collector->common.build_ids);
    prof_tables_destroy(collector->common.tables);
    prof_looks_common_fini(&collector->common.looks);
    if (collector->epoll >= 0)
        (void)close(collector->epoll);
    free(collector);
}

const char *prof_collector_session(const struct prof_collector *collector)
{
    return collector->listener.session;
}

int prof_collector_fd(const struct prof_collector *collector)
{
    return collector->epoll;
}

/* The next look at a target, if that is sooner than `wait_ms`. */
static int looks_wait_ms(const struct prof_collector *collector, int wait_ms)
{
    uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
    for (const struct prof_target *at = collector->targets; at; at = at->next) {
        if (at->changing_until_ns > now_ns && wait_ms > WAIT_CHANGING_MS)
            wait_ms = WAIT_CHANGING_MS;
        if (at->looks != NULL)
            wait_ms = prof_looks_wait_ms(at->looks, now_ns, wait_ms);
    }
    return wait_ms > 0 ? wait_ms : 1;
}

int prof_collector_wait_ms(const struct prof_collector *collector)
{
    if (collector->targets == NULL &&
        !prof_crashes_are_pending(&collector->crashes))
        return -1;
    int wait_ms = prof_crashes_are_pending(&collector->crashes)
                      ? WAIT_MIN_MS
                      : collector->wait_ms;
    return looks_wait_ms(collector, wait_ms);
}

/* ---- running ---- */

/* Fuller rings are drained more often. */
static void adapt_wait(struct prof_collector *collector, double fullest)
{
    if (fullest > 0.25)
        collector->wait_ms /= 2;
    else if (fullest < 0.05)
        collector->wait_ms += collector->wait_ms / 2 + 1;
    if (collector->wait_ms < WAIT_MIN_MS)
        collector->wait_ms = WAIT_MIN_MS;
    if (collector->wait_ms > WAIT_MAX_MS)
        collector->wait_ms = WAIT_MAX_MS;
}

static void bury(struct prof_collector *collector, struct prof_target **at)
{
    prof_crashes_note_death(&collector->crashes, *at);
    prof_collector_remove(collector, at);
}

/* Old kernels and filters refuse pidfd_open(2): then ask each time. */
static void bury_unwatched(struct prof_collector *collector)
{
    struct prof_target **at = &collector->targets;
    while (*at != NULL) {
        if ((*at)->pidfd < 0 && kill((pid_t)(*at)->pid, 0) != 0 &&
            errno == ESRCH)
            bury(collector, at);
        else
            at = &(*at)->next;
    }
}

/* End the targets whose process is dead. */
static void bury_dead(struct prof_collector *collector)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int count;
    do {
        int dead = 0;
        count = epoll_wait(collector->epoll, events, EVENTS_AT_ONCE, 0);
        for (int i = 0; i < count; i++) {
            struct prof_target **at = &collector->targets;
            while (*at != NULL && (*at)->pidfd != events[i].data.fd)
                at = &(*at)->next;
            if (*at != NULL) {
                bury(collector, at);
                dead++;
            }
        }
        if (dead == 0)
            return;
    } while (count == EVENTS_AT_ONCE);
}

/*
 * Look at threads that may be asleep: all targets share the time of one tick,
 * and who had none of it comes first in the next.
 */
static void look_around(struct prof_collector *collector)
{
    uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
    uint64_t end_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID) +
                      prof_looks_budget_ns(&collector->common.looks, now_ns);
    struct prof_target **first =
        prof_collector_find(collector, collector->looked_pid);
    struct prof_target *at = *first != NULL ? *first : collector->targets;
    for (uint32_t left = collector->stats.live; at != NULL && left > 0;
         left--) {
        if (clock_now_ns(CLOCK_THREAD_CPUTIME_ID) >= end_ns)
            break;
        if (at->looks != NULL && prof_looks_due_ns(at->looks) <= now_ns)
            prof_looks_run(at->looks, end_ns);
        at = at->next != NULL ? at->next : collector->targets;
    }
    collector->looked_pid = at != NULL ? at->pid : 0;
}

void prof_collector_run(struct prof_collector *collector)
{
    struct prof_request request;
    prof_kept_files_run(&collector->common.build_ids.kept);
    for (int i = 0; i < REQUESTS_AT_ONCE &&
                    prof_listener_next(&collector->listener, &request);
         i++)
        prof_collector_answer(collector, &request);
    prof_collector_look_for_roused(collector);

    double fullest = 0;
    for (struct prof_target *at = collector->targets; at; at = at->next) {
        prof_crashes_look(&collector->crashes, at, 0);
        prof_target_look(at);
        prof_target_show_presence(at);
        double share = prof_target_drain(at);
        fullest = share > fullest ? share : fullest;
        prof_target_tend_clock(at);
    }
    prof_strays_look(&collector->strays);
    prof_collector_tend_guests(collector);
    adapt_wait(collector, fullest);
    if (!collector->common.is_at_rest &&
        prof_overhead_judge(&collector->overhead, collector->targets))
        collector->common.governed_ns = collector->overhead.governor.period_ns;
    if (collector->common.is_wall)
        look_around(collector);
    bury_dead(collector);
    bury_unwatched(collector);
    prof_crashes_tend(&collector->crashes, collector->targets);
}

/* ---- the end ---- */

static void note_lost(struct prof_collector *collector)
{
    const struct prof_lost *lost = &collector->common.lost;
    struct diag note;
    if (lost->children > 0) {
        (void)fail(
            &note, STATUS_LIMIT,
            "%" PRIu64 " process%s could not reach the collector and %s not "
            "sampled: no descriptor was left, or the collector did not answer",
            lost->children, lost->children == 1 ? "" : "es",
            lost->children == 1 ? "was" : "were");
        prof_collector_note(collector, &note);
    }
    if (lost->timers > 0) {
        (void)fail(
            &note, STATUS_LIMIT,
            "%" PRIu64 " thread%s got no timer, and the time is [unsampled]: "
            "RLIMIT_SIGPENDING was used up",
            lost->timers, lost->timers == 1 ? "" : "s");
        prof_collector_note(collector, &note);
    }
    if (lost->given_up > 0) {
        (void)fail(
            &note, STATUS_LIMIT,
            "%" PRIu32
            " process%s paused the sampling: the collector had not run "
            "for 5 s",
            lost->given_up, lost->given_up == 1 ? "" : "es");
        prof_collector_note(collector, &note);
    }
}

/* What happened stays with the profile. */
static void write_notes(struct prof_collector *collector)
{
    prof_collector_note(collector, &collector->common.refusal);
    prof_collector_note(collector, &collector->common.traced);
    prof_collector_note(collector, &collector->common.looks.refusal);
    prof_collector_note(collector, &collector->stats.failure);
    prof_collector_note(collector, &collector->stats.left);
    note_lost(collector);
}

void prof_collector_finish(struct prof_collector *collector)
{
    prof_collector_run(collector);
    /* Nobody is served from here on: who asks must be refused at once. */
    prof_listener_close(&collector->listener);
    while (collector->targets != NULL)
        prof_collector_remove(collector, &collector->targets);
    prof_strays_finish(&collector->strays);
    write_notes(collector);
}

bool prof_collector_is_deserted(const struct prof_collector *collector)
{
    return collector->is_deserted && collector->stats.processes == 1;
}

void prof_collector_close_tree(
    struct prof_collector *collector, uint64_t kernel_ns)
{
    struct prof_profile *profile = collector->common.profile;
    uint64_t known_ns = 0;
    kernel_ns -= collector->common.rested_ns < kernel_ns
                     ? collector->common.rested_ns
                     : kernel_ns;
    prof_profile_origin(profile)->cpu_ns = kernel_ns;
    for (uint32_t i = 0; i < prof_profile_process_count(profile); i++)
        known_ns += prof_profile_process(profile, i)->cpu_ns;
    if (kernel_ns <= known_ns || prof_profile_thread_count(profile) == 0)
        return;

    struct prof_sample sample = {
        .time_ns = prof_profile_process(profile, 0)->end_ns, .thread = 0};
    sample.values[collector->common.value_cpu] = kernel_ns - known_ns;
    if (collector->common.is_wall)
        sample.values[collector->common.value_wall] = kernel_ns - known_ns;
    prof_account_add_rest(profile, "[unsampled]", &sample);
}

void prof_collector_settle(struct prof_collector *collector)
{
    const struct timespec pause = {.tv_nsec = WAIT_MIN_MS * 1000000};
    for (int left_ms = SETTLE_MS;
         left_ms > 0 && prof_crashes_are_pending(&collector->crashes);
         left_ms -= WAIT_MIN_MS) {
        prof_crashes_tend(&collector->crashes, collector->targets);
        (void)nanosleep(&pause, NULL);
    }
}

const struct prof_kept_files *prof_collector_kept_files(
    const struct prof_collector *collector)
{
    return &collector->common.build_ids.kept;
}

struct prof_collector_stats prof_collector_stats(
    const struct prof_collector *collector)
{
    struct prof_collector_stats stats = collector->stats;
    stats.samples = collector->common.sample_count;
    stats.mode = collector->common.worst_mode;
    (void)prof_overhead_tell(
        &collector->overhead, stats.governed, sizeof stats.governed);
    return stats;
}
