/* How often threads are switched. */
#include "profiler/collector/switching.h"

#include <stdlib.h>

#include "profiler/base/proc.h"
#include "profiler/collector/task_files.h"

enum {
    LOOK_NS = 500000000,
    THREADS_A_LOOK = 32, /* at 5 us each: 0.03 % of a core */
    TOLD_MIN_NS = 20000000,
    FULL_PERCENT = 80, /* of their processors */
    PROCESSOR = 39,    /* in stat; the one it ran on last */
};

/* The processors of the threads of a look, each once. */
struct processors {
    long numbers[THREADS_A_LOOK];
    int count;
};

/* A thread, when it was looked at last. */
struct seen {
    uint64_t runs, cpu_ns; /* both 0: never */
};

void prof_switching_init(struct prof_switching *switching)
{
    *switching =
        (struct prof_switching){.threads = {.row_bytes = sizeof(struct seen)}};
}

void prof_switching_fini(struct prof_switching *switching)
{
    table_fini(&switching->threads);
}

static void note_processor(
    struct processors *processors, uint32_t pid, uint32_t tid)
{
    struct proc_stat stat;
    if (!proc_stat_read(&stat, pid, tid))
        return;
    long number = strtol(proc_stat_field(&stat, PROCESSOR), NULL, 10);
    for (int i = 0; i < processors->count; i++) {
        if (processors->numbers[i] == number)
            return;
    }
    processors->numbers[processors->count++] = number;
}

/* A tid may have passed to another thread, which has run less often. */
static void look_at(
    struct prof_switching *switching, uint32_t pid, uint32_t tid,
    struct seen *seen, struct processors *processors)
{
    struct prof_task_limit none = {0, 0};
    struct prof_task_files files;
    struct prof_look look = {0};
    prof_task_files_init(&files, pid, tid, &none);
    if (prof_task_read_usage(&files, &look) && seen->cpu_ns > 0 &&
        look.runs >= seen->runs && look.cpu_ns >= seen->cpu_ns) {
        switching->runs += look.runs - seen->runs;
        switching->cpu_ns += look.cpu_ns - seen->cpu_ns;
        note_processor(processors, pid, tid);
    }
    *seen = (struct seen){.runs = look.runs, .cpu_ns = look.cpu_ns};
    prof_task_files_fini(&files);
}

struct prof_switch_rate prof_switching_rate(
    const struct prof_switching *switching)
{
    double cpu_ns = (double)switching->cpu_ns;
    return (struct prof_switch_rate){
        .runs_per_s = 1e9 * (double)switching->runs / cpu_ns,
        .is_among_themselves =
            100 * cpu_ns >= FULL_PERCENT * (double)switching->room_ns};
}

bool prof_switching_tell(
    struct prof_switching *switching, const struct prof_account *account,
    uint64_t now_ns, struct prof_switch_rate *rate)
{
    struct processors processors = {.count = 0};
    if (now_ns < switching->looked_ns + LOOK_NS)
        return false;
    int left = THREADS_A_LOOK;
    for (uint32_t i = 0; i < account->threads.count && left > 0; i++) {
        const struct prof_account_thread *thread =
            table_row(&account->threads, i);
        if (i >= switching->threads.count &&
            table_add(&switching->threads, &(struct seen){0, 0}) == TABLE_NONE)
            break;
        if (thread->tid == 0 || thread->last_ns <= switching->looked_ns)
            continue;
        look_at(
            switching, account->pid, thread->tid,
            table_row(&switching->threads, i), &processors);
        left--;
    }
    switching->room_ns +=
        (uint64_t)processors.count * (now_ns - switching->looked_ns);
    switching->looked_ns = now_ns;
    if (switching->cpu_ns < TOLD_MIN_NS)
        return false;
    *rate = prof_switching_rate(switching);
    switching->runs = switching->cpu_ns = switching->room_ns = 0;
    return true;
}
