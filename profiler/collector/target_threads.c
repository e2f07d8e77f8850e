/* The threads of a target. */
#include "profiler/collector/target_threads.h"

#include "profiler/collector/process_files.h"
#include "profiler/collector/target_model.h"

static bool same_tid(const void *owner, uint32_t id, const void *key)
{
    const struct prof_account *account = owner;
    const struct prof_account_thread *thread = table_row(&account->threads, id);
    return thread->tid == *(const uint32_t *)key;
}

/* Otherwise it sees its threads as we do. */
static bool has_own_tids(const struct prof_target *target)
{
    return target->inner_pid != target->pid;
}

uint32_t prof_target_outer_tid(struct prof_target *target, uint32_t inner_tid)
{
    if (!has_own_tids(target))
        return inner_tid;
    if (inner_tid == target->inner_pid)
        return target->pid; /* it may have been listed by no one */
    return prof_inner_tids_outer(&target->tids, target->pid, inner_tid);
}

uint32_t prof_target_ended_tid(struct prof_target *target, uint32_t inner_tid)
{
    if (!has_own_tids(target))
        return inner_tid;
    return prof_inner_tids_take(&target->tids, inner_tid);
}

/* `shown_tid` stands in the profile. */
static uint32_t add_thread(
    struct prof_target *target, uint32_t tid, uint32_t shown_tid)
{
    if (target->account.threads.count >= PROF_LIMIT_THREADS && tid != 0 &&
        !prof_process_files_has_thread(target->pid, tid))
        return prof_target_thread(target, 0);
    struct prof_profile *profile = target->common->profile;
    struct prof_thread row = {
        .process = target->process,
        .tid = shown_tid,
        .name = prof_process_files_thread_name(profile, target->pid, tid)};
    uint32_t index = prof_account_add_thread(
        &target->account, tid, prof_profile_add_thread(profile, &row), 0);
    if (index != TABLE_NONE)
        (void)index_add(&target->threads_by_tid, hash_u64(tid), index);
    return index;
}

uint32_t prof_target_known_thread(
    const struct prof_target *target, uint32_t tid)
{
    return index_find(
        &target->threads_by_tid, hash_u64(tid), same_tid, &target->account,
        &tid);
}

uint32_t prof_target_thread(struct prof_target *target, uint32_t tid)
{
    uint32_t index = prof_target_known_thread(target, tid);
    return index != TABLE_NONE ? index : add_thread(target, tid, tid);
}

uint32_t prof_target_inner_thread(
    struct prof_target *target, uint32_t inner_tid)
{
    uint32_t tid = prof_target_outer_tid(target, inner_tid);
    uint32_t index = prof_target_known_thread(target, tid);
    return index != TABLE_NONE
               ? index
               : add_thread(target, tid, tid != 0 ? tid : inner_tid);
}
