/* Looking at the threads of one process; see the header. */
#include "profiler/collector/thread_looks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "profiler/base/clock.h"
#include "profiler/base/proc.h"
#include "profiler/collector/looked_thread.h"

/* Going through the threads to see who is due takes 40 ns each, and shall not
 * take more than the looks. */
#define SCAN_EACH_NS UINT64_C(10000)

/* Before it is asked how long they took, which takes half as long as one. */
enum { LOOKS_AT_ONCE = 8 };

/* How often it is checked whether threads have come or gone, and how often a
 * list is made although none seem to; of the latter, LIST_SHARE
 * is one part in so many of a CPU. */
#define CHECK_NS   UINT64_C(20000000)
#define LIST_NS    UINT64_C(1000000000)
#define LIST_SHARE 50

struct prof_looks {
    struct prof_looker looker;
    struct table threads;   /* struct prof_looked_thread, by tid */
    struct table tids;      /* uint32_t, scratch */
    uint32_t next;          /* who comes first, if due */
    uint64_t links;         /* of the folder of threads, when it was listed */
    uint64_t checked_ns;    /* whether that has changed */
    uint64_t current_ns;    /* it was not, or has just been listed */
    uint64_t listed_ns;     /* the folder was read */
    uint64_t list_after_ns; /* it may be read again */
    bool is_list_wanted;
    uint64_t due_ns;
    uint64_t begun_ns;  /* we began to look */
    uint64_t unseen_ns; /* off CPU, of threads that were never listed */
};

uint64_t prof_looks_due_ns(const struct prof_looks *looks)
{
    return looks->due_ns;
}

int prof_looks_wait_ms(
    const struct prof_looks *looks, uint64_t now_ns, int wait_ms)
{
    uint64_t left_ms = looks->due_ns > now_ns
                           ? (looks->due_ns - now_ns + 999999) / 1000000
                           : 0;
    if (left_ms < (uint64_t)wait_ms)
        wait_ms = (int)left_ms;
    return wait_ms > 0 ? wait_ms : 1;
}

static struct prof_looked_thread *thread_at(
    const struct prof_looks *looks, uint32_t index)
{
    return table_row(&looks->threads, index);
}

/* ---- who is there ---- */

static int compare_tids(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

/* The ids of all threads, in order, in looks->tids. */
static void read_tids(struct prof_looks *looks)
{
    const struct prof_looked_process *process = &looks->looker.process;
    struct proc_tasks tasks;
    uint32_t tid;
    looks->tids.count = 0;
    if (!proc_tasks_open(&tasks, process->pid))
        return;
    while (proc_tasks_next(&tasks, &tid)) {
        if (process->is_watched(process->owner, tid))
            (void)table_add(&looks->tids, &tid);
    }
    proc_tasks_close(&tasks);
    if (looks->tids.count > 0)
        qsort(
            looks->tids.rows, looks->tids.count, sizeof(uint32_t),
            compare_tids);
}

static void end_thread(
    struct prof_looks *looks, struct prof_looked_thread *thread)
{
    if (thread->over_ns == 0)
        prof_looked_thread_end(thread, &looks->looker, thread->gone_ns, 0);
}

/*
 * It ended between the last time it was there and now. It may have said so, and
 * more: that is read before the next list, until which it is kept. False: this
 * is that list.
 */
static bool miss_thread(
    const struct prof_looks *looks, struct prof_looked_thread *thread,
    uint64_t now_ns)
{
    uint64_t then_ns = thread->account.last.time_ns;
    if (looks->current_ns > then_ns)
        then_ns = looks->current_ns;
    if (thread->over_ns != 0 || thread->gone_ns != 0)
        return false;
    thread->gone_ns =
        then_ns < now_ns ? then_ns + (now_ns - then_ns) / 2 : now_ns;
    thread->due_ns = UINT64_MAX;
    return true;
}

/*
 * Whether the id is another thread's by now. One that says that it ends is
 * there for a while yet; and a list may leave one out while others end.
 */
static bool is_another(
    const struct prof_looks *looks, const struct prof_looked_thread *thread)
{
    struct prof_task_files files;
    if (thread->over_ns == 0 && thread->gone_ns == 0)
        return false;
    prof_task_files_init(
        &files, looks->looker.process.pid, thread->tid,
        &looks->looker.common->limit);
    uint64_t start_ns = prof_task_read_start(&files);
    prof_task_files_fini(&files);
    return start_ns > thread->over_ns && start_ns > thread->gone_ns;
}

/* The list has it: it goes on. */
static void find_again(struct prof_looked_thread *thread, uint64_t now_ns)
{
    if (thread->gone_ns != 0 && thread->over_ns == 0)
        thread->due_ns = now_ns;
    thread->gone_ns = 0;
}

/* Those that the list has no more and the one before had, up to an id. */
static void pass_missing(
    struct prof_looks *looks, struct table *merged, uint32_t *at,
    uint64_t below_tid, uint64_t now_ns)
{
    for (; *at < looks->threads.count; ++*at) {
        struct prof_looked_thread *thread = thread_at(looks, *at);
        if (thread->tid >= below_tid)
            break;
        if (miss_thread(looks, thread, now_ns)) {
            looks->is_list_wanted = true;
            (void)table_add(merged, thread);
        } else {
            end_thread(looks, thread);
        }
    }
}

/* Make the table what the list says: both are in the order of ids. */
static void merge(struct prof_looks *looks, uint64_t now_ns, bool is_continued)
{
    struct table merged = {.row_bytes = sizeof(struct prof_looked_thread)};
    const uint32_t *tids = looks->tids.rows;
    uint32_t at = 0;
    for (uint32_t i = 0; i < looks->tids.count; i++) {
        struct prof_looked_thread begun;
        pass_missing(looks, &merged, &at, tids[i], now_ns);
        bool is_known =
            at < looks->threads.count && thread_at(looks, at)->tid == tids[i];
        if (is_known && is_another(looks, thread_at(looks, at))) {
            end_thread(looks, thread_at(looks, at++));
            is_known = false;
        }
        if (is_known) {
            find_again(thread_at(looks, at), now_ns);
            (void)table_add(&merged, thread_at(looks, at++));
        } else if (prof_looked_thread_begin(
                       &begun, &looks->looker, tids[i], looks->current_ns,
                       is_continued)) {
            (void)table_add(&merged, &begun);
        }
    }
    pass_missing(looks, &merged, &at, UINT64_MAX, now_ns);
    table_fini(&looks->threads);
    looks->threads = merged;
}

static uint64_t count_links(const struct prof_looks *looks)
{
    char path[64];
    struct stat stat_of;
    (void)snprintf(
        path, sizeof path, "/proc/%" PRIu32 "/task", looks->looker.process.pid);
    return stat(path, &stat_of) == 0 ? stat_of.st_nlink : 0;
}

/* Bring the table up to date, as often as its cost allows. */
static void list_threads(struct prof_looks *looks, bool is_continued)
{
    uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
    uint64_t links = count_links(looks);
    bool is_changed = links != looks->links || looks->is_list_wanted ||
                      now_ns - looks->listed_ns >= LIST_NS;
    if (is_changed && now_ns >= looks->list_after_ns) {
        uint64_t cost_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID);
        read_tids(looks);
        cost_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID) - cost_ns;
        looks->is_list_wanted = false;
        merge(looks, now_ns, is_continued);
        looks->links = links;
        looks->listed_ns = now_ns;
        looks->list_after_ns = now_ns + cost_ns * LIST_SHARE;
        is_changed = false;
    }
    if (!is_changed)
        looks->current_ns = now_ns;
    looks->checked_ns = now_ns;
}

static struct prof_looked_thread *find_thread(
    const struct prof_looks *looks, uint32_t tid)
{
    uint32_t low = 0, high = looks->threads.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (thread_at(looks, middle)->tid < tid)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == looks->threads.count || thread_at(looks, low)->tid != tid)
        return NULL;
    return thread_at(looks, low);
}

void prof_looks_note_end(
    struct prof_looks *looks, uint32_t tid, uint64_t begin_ns, uint64_t end_ns,
    uint64_t cpu_ns)
{
    if (begin_ns < looks->begun_ns || begin_ns >= end_ns)
        return;
    struct prof_looked_thread *thread = find_thread(looks, tid);
    if (thread == NULL || thread->over_ns != 0) {
        uint64_t lived_ns = end_ns - begin_ns;
        looks->unseen_ns += lived_ns > cpu_ns ? lived_ns - cpu_ns : 0;
        return;
    }
    thread->account.first.time_ns = begin_ns;
    prof_looked_thread_end(thread, &looks->looker, end_ns, cpu_ns);
    thread->over_ns = end_ns;
    thread->due_ns = UINT64_MAX;
}

/* ---- looking ---- */

/* Look at who is due, from the one on at whom the last turn ended. */
static void look_around(struct prof_looks *looks, uint64_t end_ns)
{
    uint32_t count = looks->threads.count;
    uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
    unsigned looked = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = (looks->next + i) % count;
        struct prof_looked_thread *thread = thread_at(looks, at);
        if (thread->due_ns > now_ns)
            continue;
        if (!prof_looked_thread_look(thread, &looks->looker)) {
            looks->is_list_wanted = true;
            thread->due_ns = UINT64_MAX; /* the next list has it no more */
        }
        if (++looked % LOOKS_AT_ONCE != 0)
            continue;
        now_ns = clock_now_ns(CLOCK_MONOTONIC);
        if (clock_now_ns(CLOCK_THREAD_CPUTIME_ID) >= end_ns) {
            looks->next = (at + 1) % count;
            break;
        }
    }
}

static void set_due(struct prof_looks *looks, uint64_t now_ns)
{
    uint64_t due_ns = looks->checked_ns + CHECK_NS;
    for (uint32_t i = 0; i < looks->threads.count; i++) {
        uint64_t its_ns = thread_at(looks, i)->due_ns;
        due_ns = its_ns < due_ns ? its_ns : due_ns;
    }
    uint64_t soonest_ns = now_ns + looks->looker.common->tick_ns;
    if (soonest_ns < now_ns + looks->threads.count * SCAN_EACH_NS)
        soonest_ns = now_ns + looks->threads.count * SCAN_EACH_NS;
    looks->due_ns = due_ns > soonest_ns ? due_ns : soonest_ns;
}

void prof_looks_run(struct prof_looks *looks, uint64_t end_ns)
{
    uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
    if (now_ns - looks->checked_ns >= CHECK_NS || looks->is_list_wanted)
        list_threads(looks, false);
    look_around(looks, end_ns);
    set_due(looks, clock_now_ns(CLOCK_MONOTONIC));
}

/* ---- begin and end ---- */

struct prof_looks *prof_looks_create(
    struct prof_looks_common *common, const struct prof_looked_process *process,
    bool is_continued)
{
    struct prof_looks *made = calloc(1, sizeof *made);
    if (made == NULL)
        return NULL;
    made->looker.common = common;
    made->looker.process = *process;
    made->threads.row_bytes = sizeof(struct prof_looked_thread);
    made->tids.row_bytes = sizeof(uint32_t);
    made->begun_ns = clock_now_ns(CLOCK_MONOTONIC);
    list_threads(made, is_continued);
    set_due(made, made->checked_ns);
    return made;
}

void prof_looks_destroy(struct prof_looks *looks)
{
    if (looks == NULL)
        return;
    const struct prof_looked_process *process = &looks->looker.process;
    bool is_replaced = process->image(process->owner) == PROF_LOOKED_REPLACED;
    for (uint32_t i = 0; i < looks->threads.count; i++) {
        struct prof_looked_thread *thread = thread_at(looks, i);
        if (thread->over_ns != 0)
            continue;
        /* What has exec'ed is another image. */
        if (!is_replaced && thread->gone_ns == 0)
            (void)prof_looked_thread_look(thread, &looks->looker);
        if (thread->gone_ns == 0)
            thread->gone_ns = clock_now_ns(CLOCK_MONOTONIC);
        end_thread(looks, thread);
    }
    prof_looker_add_unseen(
        &looks->looker, looks->unseen_ns, clock_now_ns(CLOCK_MONOTONIC));
    prof_outside_destroy(looks->looker.outside);
    table_fini(&looks->threads);
    table_fini(&looks->tids);
    free(looks);
}
