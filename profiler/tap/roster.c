/* Threads and processes found by listing; see the header. */
#include "profiler/tap/roster.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "profiler/base/clock.h"
#include "profiler/collector/process_files.h"
#include "profiler/tap/listing.h"

#define LIST_NS UINT64_C(20000000)

/* What listing may take of the time. */
enum { LIST_SHARE = 50 };

/* /proc/PID/auxv: some twenty pairs. */
enum { AUXV_BYTES = 1024 };

void prof_roster_init(
    struct prof_roster *roster, struct prof_tap_common *common, int epoll)
{
    *roster = (struct prof_roster){
        .common = common,
        .threads.row_bytes = sizeof(struct prof_roster_thread),
        .files = prof_task_limit_make()};
    prof_tap_named_init(&roster->named, epoll);
    (void)pthread_mutex_init(&roster->gate, NULL);
}

void prof_roster_drop_all(struct prof_roster *roster)
{
    while (roster->processes != NULL)
        prof_tap_process_drop(
            &roster->processes, clock_now_ns(CLOCK_MONOTONIC));
}

void prof_roster_fini(struct prof_roster *roster)
{
    prof_roster_drop_all(roster);
    for (uint32_t i = 0; i < roster->threads.count; i++) {
        struct prof_roster_thread *thread = table_row(&roster->threads, i);
        prof_task_files_fini(&thread->files);
    }
    table_fini(&roster->threads);
    prof_tap_named_fini(&roster->named);
    (void)pthread_mutex_destroy(&roster->gate);
}

struct prof_tap_process *prof_roster_process(
    struct prof_roster *roster, uint32_t pid)
{
    return *prof_tap_process_find(&roster->processes, pid);
}

/* ---- processes ---- */

/* An image has its random bytes, and so its auxiliary vector, to itself. */
static uint32_t image_of(uint32_t pid)
{
    char path[64], bytes[AUXV_BYTES];
    (void)snprintf(path, sizeof path, "/proc/%" PRIu32 "/auxv", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    size_t count = fread(bytes, 1, sizeof bytes, file);
    (void)fclose(file);
    return count > 0 ? hash_bytes(bytes, count) : 0;
}

static void put_first(
    struct prof_roster *roster, struct prof_tap_process *process)
{
    process->image = image_of(process->pid);
    process->next = roster->processes;
    roster->processes = process;
    roster->process_count++;
}

static struct prof_tap_process *meet(struct prof_roster *roster, uint32_t pid)
{
    struct prof_tap_process *known = prof_roster_process(roster, pid);
    if (known != NULL)
        return known;
    struct prof_tap_process *made = prof_tap_process_meet(roster->common, pid);
    if (made == NULL)
        return NULL;
    if (roster->is_begun && !roster->common->is_by_thread)
        made->begin_ns = 0;
    made->is_continued = !roster->is_begun;
    put_first(roster, made);
    return made;
}

static void take_execs(struct prof_roster *roster, uint64_t now_ns)
{
    struct prof_tap_process *next;
    for (struct prof_tap_process *at = roster->processes; at; at = next) {
        next = at->next;
        uint32_t image = image_of(at->pid);
        if (image == 0 || at->image == 0 || image == at->image)
            continue;
        struct prof_tap_process *made = prof_tap_process_meet_again(at);
        if (made == NULL)
            continue;
        prof_tap_process_drop(
            prof_tap_process_find(&roster->processes, at->pid), now_ns);
        put_first(roster, made);
    }
}

/* ---- threads ---- */

static int listed_by_tid(const void *a, const void *b)
{
    const struct prof_tap_listed *left = a, *right = b;
    return left->tid < right->tid ? -1 : left->tid > right->tid;
}

static int by_tid(const void *a, const void *b)
{
    const struct prof_roster_thread *left = a, *right = b;
    return left->tid < right->tid ? -1 : left->tid > right->tid;
}

static void begin_thread(
    struct prof_roster *roster, const struct prof_tap_listed *row,
    struct table *rows)
{
    struct prof_look look;
    struct prof_roster_thread watched = {.pid = row->pid, .tid = row->tid};
    struct prof_tap_process *process = meet(roster, row->pid);
    if (process == NULL || prof_tap_process_thread(process, row->tid) == NULL)
        return;
    prof_task_files_init(&watched.files, row->pid, row->tid, &roster->files);
    if (prof_task_read_usage(&watched.files, &look)) {
        watched.seen_ns = watched.looked_ns = look.cpu_ns;
        if (table_add(rows, &watched) != TABLE_NONE)
            return;
    }
    prof_task_files_fini(&watched.files);
}

static void end_thread(
    struct prof_roster *roster, struct prof_roster_thread *watched)
{
    struct prof_tap_process *process =
        prof_roster_process(roster, watched->pid);
    struct prof_tap_thread *thread =
        process != NULL ? prof_tap_process_known_thread(process, watched->tid)
                        : NULL;
    /* The first one's id stays in use until the process ends. */
    if (thread != NULL && watched->tid != watched->pid)
        prof_tap_thread_end(thread);
    prof_task_files_fini(&watched->files);
}

struct prof_roster_thread *prof_roster_thread(
    const struct prof_roster *roster, uint32_t tid)
{
    const struct prof_roster_thread wanted = {.tid = tid};
    return roster->threads.count == 0
               ? NULL
               : bsearch(
                     &wanted, roster->threads.rows, roster->threads.count,
                     roster->threads.row_bytes, by_tid);
}

/* Both by tid: keep who is in both, end who is gone, begin who is new. */
static void merge(struct prof_roster *roster, const struct table *listed)
{
    struct table rows = {.row_bytes = sizeof(struct prof_roster_thread)};
    uint32_t old = 0;
    for (uint32_t i = 0; i < listed->count; i++) {
        const struct prof_tap_listed *row = table_row(listed, i);
        struct prof_roster_thread *at = NULL;
        for (; old < roster->threads.count; old++) {
            at = table_row(&roster->threads, old);
            if (at->tid >= row->tid)
                break;
            end_thread(roster, at);
        }
        bool is_known = old < roster->threads.count && at->tid == row->tid;
        old += is_known;
        if (is_known && (at->is_gone || at->pid != row->pid)) {
            end_thread(roster, at);
            is_known = false;
        }
        if (!is_known)
            begin_thread(roster, row, &rows);
        else if (table_add(&rows, at) == TABLE_NONE)
            end_thread(roster, at);
    }
    for (; old < roster->threads.count; old++)
        end_thread(roster, table_row(&roster->threads, old));
    table_fini(&roster->threads);
    roster->threads = rows;
}

static void list(struct prof_roster *roster)
{
    struct table listed = {.row_bytes = sizeof(struct prof_tap_listed)};
    for (uint32_t i = 0; i < roster->named.rows.count; i++) {
        const struct prof_tap_named_row *named =
            table_row(&roster->named.rows, i);
        const struct prof_tap_listed row = {named->pid, named->tid};
        if (named->tid == 0)
            (void)prof_tap_list_tree(named->pid, &listed);
        else if (prof_process_files_has_thread(named->pid, named->tid))
            (void)table_add(&listed, &row);
    }
    /* Whose parent has ended is no longer in a tree. */
    for (struct prof_tap_process *at = roster->processes;
         at != NULL && !roster->common->is_by_thread; at = at->next)
        (void)prof_tap_list_tree(at->pid, &listed);
    if (listed.count > 0)
        qsort(listed.rows, listed.count, listed.row_bytes, listed_by_tid);
    (void)pthread_mutex_lock(&roster->gate);
    merge(roster, &listed);
    (void)pthread_mutex_unlock(&roster->gate);
    table_fini(&listed);
}

void prof_roster_refresh(struct prof_roster *roster, uint64_t now_ns)
{
    if (now_ns < roster->next_list_ns)
        return;
    take_execs(roster, now_ns);
    list(roster);
    uint64_t end_ns = clock_now_ns(CLOCK_MONOTONIC);
    uint64_t wait_ns = (end_ns - now_ns) * LIST_SHARE;
    roster->next_list_ns = end_ns + (wait_ns < LIST_NS ? LIST_NS : wait_ns);
}

enum status prof_roster_name(
    struct prof_roster *roster, uint32_t pid, uint32_t tid, struct diag *diag)
{
    roster->is_begun = false;
    enum status status = prof_tap_named_add(&roster->named, pid, tid, diag);
    if (status == STATUS_OK)
        list(roster);
    roster->is_begun = true;
    return status;
}

void prof_roster_read_clocks(struct prof_roster *roster, uint64_t now_ns)
{
    prof_tap_named_forget_ended(&roster->named);
    struct prof_tap_process **at = &roster->processes;
    while (*at != NULL) {
        if (prof_tap_process_read_clock(*at))
            at = &(*at)->next;
        else
            prof_tap_process_drop(at, now_ns);
    }
}
