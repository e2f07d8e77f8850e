/* What the kernel counted for a target. */
#include "profiler/collector/target_cpu.h"

#include "profiler/collector/cpu_time.h"
#include "profiler/collector/target_model.h"

static uint64_t read_cpu_ns(struct prof_target *target)
{
    if (target->chosen.count > 0)
        return prof_chosen_cpu_ns(&target->chosen, target->pid);
    uint64_t used_ns = prof_process_cpu_ns(target->pid);
    if (target->guest_tid == 0)
        return used_ns;
    uint64_t guest_ns = prof_thread_cpu_ns(target->pid, target->guest_tid);
    if (guest_ns > target->guest_ns)
        target->guest_ns = guest_ns;
    return used_ns > target->guest_ns ? used_ns - target->guest_ns : 0;
}

/*
 * The process's own clock while it can be read: it, and what wait4() tells in
 * the end, leaves out the time that a hypervisor took from a running thread.
 * The count of the perf events has it in; it bridges what is left between the
 * last reading and a death, or an exec.
 */
uint64_t prof_target_cpu_ns(struct prof_target *target)
{
    if (target->until_ns > 0)
        return target->until_ns;
    uint64_t count_ns = prof_perf_clock_read_ns(&target->clock);
    uint64_t clock_ns = target->is_replaced ? 0 : read_cpu_ns(target);
    if (clock_ns == 0)
        return target->clock_ns + (count_ns - target->count_ns);
    target->clock_ns = clock_ns;
    target->count_ns = count_ns;
    return clock_ns;
}

void prof_target_choose(
    struct prof_target *target, const uint32_t *tids, uint32_t count)
{
    if (prof_chosen_init(&target->chosen, target->pid, tids, count) == 0)
        return;
    target->account.startup_ns = read_cpu_ns(target);
    target->clock_ns = target->account.startup_ns;
}
