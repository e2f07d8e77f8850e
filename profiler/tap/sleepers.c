/* Threads while they sleep; see the header. */
#include "profiler/tap/sleepers.h"

#include "profiler/base/clock.h"

/* A process whose threads are named has no others that are known. */
static bool is_watched(const void *owner, uint32_t tid)
{
    const struct prof_tap_process *process = owner;
    return !process->common->is_by_thread ||
           prof_tap_process_known_thread(process, tid) != NULL;
}

static uint32_t number_of(void *owner, uint32_t tid)
{
    struct prof_tap_process *process = owner;
    const struct prof_tap_thread *thread =
        prof_tap_process_thread(process, tid);
    const struct prof_tap_thread *rows = process->threads.rows;
    return thread != NULL ? (uint32_t)(thread - rows) : TABLE_NONE;
}

static struct prof_looked_row row_of(const void *owner, uint32_t number)
{
    const struct prof_tap_process *process = owner;
    const struct prof_tap_thread *thread = table_row(&process->threads, number);
    return (struct prof_looked_row){thread->thread, thread->given_ns};
}

static enum prof_looked_image image_of(const void *owner)
{
    const struct prof_tap_process *process = owner;
    return process->is_replaced ? PROF_LOOKED_REPLACED : PROF_LOOKED_PRESENT;
}

static uint64_t version_of(const void *owner)
{
    const struct prof_tap_process *process = owner;
    return process->space.generation;
}

static uint32_t stack_of(
    void *owner, const uint64_t *words, uint32_t count, uint64_t when_ns)
{
    return prof_tap_process_stack(owner, words, count, when_ns);
}

static void begin(struct prof_tap_process *process)
{
    struct prof_tap_common *common = process->common;
    const struct prof_looked_process looked = {
        .pid = process->pid,
        .profile = common->profile,
        .value_wall = common->value_wall,
        .value_samples = common->value_samples,
        .sample_count = &common->sample_count,
        .owner = process,
        .is_watched = is_watched,
        .number = number_of,
        .row = row_of,
        .image = image_of,
        .version = version_of,
        .stack = stack_of};
    process->looks =
        prof_looks_create(&common->looks, &looked, process->is_continued);
}

void prof_sleepers_begin(struct prof_tap_process *first, bool is_new_too)
{
    for (struct prof_tap_process *at = first; at != NULL; at = at->next) {
        if (at->common->is_wall && at->looks == NULL && !at->is_gone &&
            (at->is_continued || is_new_too))
            begin(at);
    }
}

/* From the process on at which the last turn ended. */
void prof_sleepers_look(
    struct prof_tap_common *common, struct prof_tap_process *first)
{
    if (!common->is_wall || first == NULL)
        return;
    uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
    uint64_t end_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID) +
                      prof_looks_budget_ns(&common->looks, now_ns);
    struct prof_tap_process *from =
        *prof_tap_process_find(&first, common->looked_pid);
    from = from != NULL ? from : first;
    struct prof_tap_process *at = from;
    do {
        if (clock_now_ns(CLOCK_THREAD_CPUTIME_ID) >= end_ns)
            break;
        if (at->looks != NULL && prof_looks_due_ns(at->looks) <= now_ns)
            prof_looks_run(at->looks, end_ns);
        at = at->next != NULL ? at->next : first;
    } while (at != from);
    common->looked_pid = at->pid;
}

int prof_sleepers_wait_ms(const struct prof_tap_process *first, int wait_ms)
{
    uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
    for (const struct prof_tap_process *at = first; at != NULL; at = at->next) {
        if (at->looks != NULL)
            wait_ms = prof_looks_wait_ms(at->looks, now_ns, wait_ms);
    }
    return wait_ms;
}
