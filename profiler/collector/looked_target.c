/* A target as the process whose threads are looked at. */
#include "profiler/collector/looked_target.h"

#include "profiler/collector/target_model.h"
#include "profiler/collector/target_space.h"
#include "profiler/collector/target_threads.h"

static bool is_watched(const void *owner, uint32_t tid)
{
    const struct prof_target *target = owner;
    return tid != target->guest_tid && prof_chosen_has(&target->chosen, tid);
}

static uint32_t number_of(void *owner, uint32_t tid)
{
    return prof_target_thread(owner, tid);
}

static struct prof_looked_row row_of(const void *owner, uint32_t number)
{
    const struct prof_target *target = owner;
    const struct prof_account_thread *row =
        table_row(&target->account.threads, number);
    return (struct prof_looked_row){row->thread, row->given_ns};
}

/* Until it says HELLO, another image's memory is nobody's. */
static enum prof_looked_image image_of(const void *owner)
{
    const struct prof_target *target = owner;
    if (target->is_replaced)
        return PROF_LOOKED_REPLACED;
    return target->is_execing ? PROF_LOOKED_LEAVING : PROF_LOOKED_PRESENT;
}

static uint64_t version_of(const void *owner)
{
    const struct prof_target *target = owner;
    return target->space.generation;
}

static uint32_t stack_of(
    void *owner, const uint64_t *words, uint32_t count, uint64_t when_ns)
{
    return prof_target_stack(owner, words, count, when_ns);
}

struct prof_looked_process prof_looked_target(struct prof_target *target)
{
    struct prof_target_common *common = target->common;
    return (struct prof_looked_process){
        .pid = target->pid,
        .profile = common->profile,
        .value_wall = common->value_wall,
        .value_samples = common->value_samples,
        .sample_count = &common->sample_count,
        .owner = target,
        .is_watched = is_watched,
        .number = number_of,
        .row = row_of,
        .image = image_of,
        .version = version_of,
        .stack = stack_of};
}
