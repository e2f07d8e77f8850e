/* The threads that a recording is limited to. */
#include "profiler/collector/chosen.h"

#include "profiler/collector/cpu_time.h"
#include "profiler/collector/process_files.h"

uint32_t prof_chosen_init(
    struct prof_chosen *chosen, uint32_t pid, const uint32_t *tids,
    uint32_t count)
{
    chosen->count = 0;
    for (uint32_t i = 0; i < count && chosen->count < PROF_CHOSEN_MAX; i++) {
        if (prof_process_files_status(tids[i], "Tgid") != pid)
            continue;
        chosen->tids[chosen->count] = tids[i];
        chosen->used_ns[chosen->count++] = 0;
    }
    return chosen->count;
}

bool prof_chosen_has(const struct prof_chosen *chosen, uint32_t tid)
{
    bool is_found = chosen->count == 0;
    for (uint32_t i = 0; i < chosen->count && !is_found; i++)
        is_found = chosen->tids[i] == tid;
    return is_found;
}

bool prof_chosen_are_over(const struct prof_chosen *chosen, uint32_t pid)
{
    bool is_over = chosen->count > 0;
    for (uint32_t i = 0; i < chosen->count && is_over; i++)
        is_over = !prof_process_files_has_thread(pid, chosen->tids[i]);
    return is_over;
}

uint64_t prof_chosen_cpu_ns(struct prof_chosen *chosen, uint32_t pid)
{
    uint64_t sum_ns = 0;
    for (uint32_t i = 0; i < chosen->count; i++) {
        uint64_t used_ns = prof_thread_cpu_ns(pid, chosen->tids[i]);
        if (used_ns > chosen->used_ns[i])
            chosen->used_ns[i] = used_ns;
        sum_ns += chosen->used_ns[i];
    }
    return sum_ns;
}
