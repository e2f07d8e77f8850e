/* Sampling processes from outside; see the header. */
#include "profiler/tap/tap.h"

#include <dirent.h>
#include <stdlib.h>
#include <time.h>

#include "profiler/base/clock.h"
#include "profiler/collector/perf_clock.h"
#include "profiler/tap/listing.h"
#include "profiler/tap/rests.h"
#include "profiler/tap/sleepers.h"
#include "profiler/tap/tap_model.h"

/* A record is written some time after its stamp was taken, which orders it;
 * longest where a hypervisor comes in between. */
#define SETTLE_NS UINT64_C(2000000)

/* Between two looks at the processes' clocks. */
#define CLOCKS_NS UINT64_C(50000000)

/* A program may go on making threads for ever. */
enum { LISTINGS_MAX = 64, THREADS_A_RUN = 16 };

enum status prof_tap_create(
    struct prof_tap **tap, struct prof_profile *profile,
    const struct prof_tap_options *options, struct diag *diag)
{
    struct prof_tap *made = calloc(1, sizeof *made);
    if (made == NULL)
        return fail(diag, STATUS_NO_MEMORY, "out of memory");
    made->options = *options;
    prof_tap_common_init(
        &made->common, profile, prof_perf_clock_draw_ns(options->period_ns),
        options->is_wall);
    prof_tap_pace_begin(&made->pace, made->common.period_ns);
    made->common.is_by_thread = options->whom == PROF_TAP_THREADS;
    const struct prof_tap_wanted wanted = {
        .period_ns = made->common.period_ns,
        .is_inherited = options->whom != PROF_TAP_THREADS,
        .is_at_exec = options->whom == PROF_TAP_CHILD,
        .is_sharing_fds = options->is_wall};
    enum status status = prof_tap_events_open(&made->events, &wanted, diag);
    made->common.is_steered = made->events.is_on_processors;
    prof_tap_named_init(&made->named, made->events.rings.epoll);
    if (status != STATUS_OK) {
        prof_tap_destroy(made);
        return status;
    }
    *tap = made;
    return STATUS_OK;
}

void prof_tap_destroy(struct prof_tap *tap)
{
    if (tap == NULL)
        return;
    prof_tap_lead_end(&tap->lead);
    while (tap->processes != NULL)
        prof_tap_process_drop(&tap->processes, clock_now_ns(CLOCK_MONOTONIC));
    prof_tap_events_close(&tap->events);
    prof_tap_common_fini(&tap->common);
    prof_tap_named_fini(&tap->named);
    free(tap);
}

int prof_tap_fd(const struct prof_tap *tap)
{
    return tap->events.rings.epoll;
}

int prof_tap_wait_ms(const struct prof_tap *tap)
{
    return prof_sleepers_wait_ms(tap->processes, tap->pace.wait_ms);
}

/* `now_ns`: when the records were taken. Since then we may have had to wait. */
static void read_clocks(struct prof_tap *tap, uint64_t now_ns)
{
    uint64_t since_ns = clock_now_ns(CLOCK_MONOTONIC) - now_ns + SETTLE_NS;
    tap->common.unread_ns = since_ns * tap->events.rings.count;
    tap->clocks_ns = now_ns;
    /* Not at each look: it takes long, and records are lost for want of time.
     */
    if (tap->has_lost)
        prof_tap_catch_up(tap);
    tap->has_lost = false;
    prof_tap_named_forget_ended(&tap->named);
    if (!tap->is_listing)
        prof_sleepers_begin(tap->processes, true);
    struct prof_tap_process **at = &tap->processes;
    while (*at != NULL) {
        bool was_gone = (*at)->is_gone;
        (*at)->is_gone = !prof_tap_process_read_clock(*at);
        /* Of one that was there the last time, records may still come. */
        if (was_gone && (*at)->is_gone)
            prof_tap_process_drop(at, now_ns);
        else
            at = &(*at)->next;
    }
}

void prof_tap_run(struct prof_tap *tap)
{
    uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
    bool has_found = prof_tap_take_records(tap, now_ns - SETTLE_NS) > 0;
    prof_tap_pace_note(&tap->pace, has_found);
    if (!tap->is_listing)
        prof_sleepers_begin(tap->processes, false);
    if (now_ns - tap->clocks_ns >= CLOCKS_NS)
        read_clocks(tap, now_ns);
    prof_sleepers_look(&tap->common, tap->processes);
    prof_tap_lead_tend(&tap->lead);
}

/* ---- whom ---- */

static bool is_known(struct prof_tap *tap, const struct prof_tap_listed *row)
{
    const struct prof_tap_process *process =
        *prof_tap_find_process(tap, row->pid);
    return process != NULL &&
           prof_tap_process_known_thread(process, row->tid) != NULL;
}

/* Give a thread its event, and its process a place. */
static enum status watch_thread(
    struct prof_tap *tap, const struct prof_tap_listed *row, struct diag *diag)
{
    enum status status = prof_tap_events_add(&tap->events, row->tid, diag);
    if (status != STATUS_OK)
        return status;
    if (*prof_tap_find_process(tap, row->pid) == NULL)
        prof_tap_add_process(
            tap, prof_tap_process_meet(&tap->common, row->pid));
    struct prof_tap_process *process = *prof_tap_find_process(tap, row->pid);
    if (process != NULL)
        (void)prof_tap_process_thread(process, row->tid);
    return STATUS_OK;
}

/* With no descriptor left, those go on that have one; and what they make. */
static bool is_bearable(
    struct prof_tap *tap, uint32_t left, const struct diag *diag)
{
    if (diag->status != STATUS_LIMIT || tap->events.opened.count == 0)
        return false;
    tap->shortage = *diag;
    tap->unwatched += left;
    return true;
}

/* Watch who of the tree is not watched yet; `is_changed`: there was somebody.
 */
static enum status watch_new(
    struct prof_tap *tap, uint32_t pid, bool *is_changed, struct diag *diag)
{
    struct table rows = {.row_bytes = sizeof(struct prof_tap_listed)};
    enum status status = STATUS_OK;
    *is_changed = false;
    (void)prof_tap_list_tree(pid, &rows);
    /* Who was made by a thread with an event has one: the kernel tells, soon.
     */
    (void)nanosleep(&(struct timespec){.tv_nsec = 2 * SETTLE_NS}, NULL);
    prof_tap_run(tap);
    for (uint32_t i = 0; i < rows.count && status == STATUS_OK; i++) {
        const struct prof_tap_listed *row = table_row(&rows, i);
        if (is_known(tap, row))
            continue;
        *is_changed = true;
        status = watch_thread(tap, row, diag);
        if (status != STATUS_OK && is_bearable(tap, rows.count - i, diag)) {
            *is_changed = false;
            status = STATUS_OK;
            break;
        }
        if (i % THREADS_A_RUN == 0) /* or the rings are full by the end */
            prof_tap_run(tap);
    }
    table_fini(&rows);
    return status;
}

/* Who may see all processors may not see every process for that. That it has
 * ended meanwhile is a normal end. */
static enum status may_watch(
    const struct prof_tap *tap, uint32_t tid, struct diag *diag)
{
    struct diag user_only;
    if (!tap->events.is_on_processors)
        return STATUS_OK;
    enum status status = prof_tap_events_ask(tid, &user_only, diag);
    return prof_tap_named_are_over(&tap->named) ? STATUS_OK : status;
}

/* Take no samples of those who run now and were not named. They would be found
 * out one by one, and a machine that is full has many. */
static void refuse_others(struct prof_tap *tap)
{
    DIR *folder = opendir("/proc");
    if (folder == NULL)
        return;
    for (struct dirent *row; (row = readdir(folder)) != NULL;) {
        uint32_t pid = (uint32_t)strtoul(row->d_name, NULL, 10);
        if (pid != 0 && !prof_tap_named_has(&tap->named, pid))
            prof_tap_filter_refuse(&tap->events.filter, pid);
    }
    (void)closedir(folder);
}

/* Somebody is to be watched; the first time that is so, there is more to do. */
static void begin(struct prof_tap *tap)
{
    if (tap->has_begun)
        return;
    tap->has_begun = true;
    prof_tap_lead_begin(&tap->lead);
    refuse_others(tap);
    prof_tap_events_begin(&tap->events);
}

enum status prof_tap_watch(
    struct prof_tap *tap, uint32_t pid, struct diag *diag)
{
    enum status status = prof_tap_named_add(&tap->named, pid, 0, diag);
    if (status != STATUS_OK)
        return status;
    begin(tap);
    if (tap->options.whom == PROF_TAP_CHILD)
        return prof_tap_events_add(&tap->events, pid, diag);
    status = may_watch(tap, pid, diag);
    bool is_changed = true;
    tap->is_listing = true;
    for (int i = 0; i < LISTINGS_MAX && is_changed && status == STATUS_OK; i++)
        status = watch_new(tap, pid, &is_changed, diag);
    tap->is_listing = false;
    return status;
}

enum status prof_tap_watch_thread(
    struct prof_tap *tap, uint32_t pid, uint32_t tid, struct diag *diag)
{
    const struct prof_tap_listed row = {.pid = pid, .tid = tid};
    enum status status = prof_tap_named_add(&tap->named, pid, tid, diag);
    if (status != STATUS_OK)
        return status;
    begin(tap);
    status = may_watch(tap, tid, diag);
    return status == STATUS_OK ? watch_thread(tap, &row, diag) : status;
}

bool prof_tap_is_over(const struct prof_tap *tap)
{
    return prof_tap_named_are_over(&tap->named);
}

/* ---- the end ---- */

void prof_tap_close_tree(struct prof_tap *tap, uint64_t kernel_ns)
{
    uint64_t count_ns = prof_tap_events_count_ns(&tap->events);
    prof_tap_rests_close(&tap->common, kernel_ns, count_ns);
    uint64_t all_ns = prof_profile_origin(tap->common.profile)->cpu_ns;
    if (!tap->events.is_on_processors && all_ns > count_ns)
        tap->unseen_ns = all_ns - count_ns;
}

void prof_tap_finish(struct prof_tap *tap)
{
    prof_tap_run(tap);
    prof_tap_events_stop(&tap->events);
    (void)prof_tap_take_records(tap, UINT64_MAX);
    prof_tap_lead_end(&tap->lead);
    while (tap->processes != NULL)
        prof_tap_process_drop(&tap->processes, clock_now_ns(CLOCK_MONOTONIC));
}

struct prof_tap_stats prof_tap_stats(const struct prof_tap *tap)
{
    return (struct prof_tap_stats){
        .samples = tap->common.sample_count,
        .processes = tap->process_count,
        .has_kernel = tap->events.has_kernel,
        .refusal = tap->events.refusal,
        .unwatched = tap->unwatched,
        .shortage = tap->shortage,
        .sleep_refusal = tap->common.looks.refusal,
        .unseen_ns = tap->unseen_ns};
}

const struct prof_kept_files *prof_tap_kept_files(const struct prof_tap *tap)
{
    return &tap->common.build_ids.kept;
}
