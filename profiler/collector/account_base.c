/* A sample's base weight, and its room for more. */
#include "profiler/collector/account_model.h"

#include "profiler/base/clock.h"
#include "profiler/collector/cpu_time.h"

/*
 * Time since the thread's sample before, this one's period apart. Not in whole
 * periods: calls of 1.05 periods each lose one expiry of twenty, and no gap
 * between two of their ends says so by itself. A thread's first sample may be
 * at the end of a long call as well.
 */
static uint64_t gap_ns(
    const struct prof_account *account,
    const struct prof_account_thread *thread, const struct prof_pending *sample)
{
    uint64_t since_ns =
        thread->last_ns > 0 ? thread->last_ns : account->weighed_ns;
    return account_excess(sample->time_ns, since_ns + sample->period_ns);
}

/*
 * What a sample's thread lost when its clock was armed anew, or gave way to a
 * timer.
 */
static uint64_t take_loss_ns(
    struct prof_account_thread *thread, const struct prof_pending *sample)
{
    bool is_other =
        sample->is_changed || thread->generation != sample->generation;
    uint64_t lost_ns = is_other ? thread->period_ns / 2 : 0;
    thread->generation = sample->generation;
    thread->period_ns = sample->is_changed ? 0 : sample->period_ns;
    return lost_ns;
}

/* Whether this tick weighs what it stands for, and not what perf leaves. */
static bool is_whole_tick(
    const struct prof_account *account, struct prof_account_thread *thread,
    const struct prof_pending *sample)
{
    if (account->mode == PROF_CLOCK_TIMER || sample->is_changed)
        return true;
    if (account->mode == PROF_CLOCK_PERF || account->changed_ns == 0 ||
        sample->time_ns < account->changed_ns)
        return false;
    bool is_whole = thread->is_changed || thread->is_new;
    thread->is_changed = true;
    return is_whole;
}

/* The thread's first sample since a rest: what it used meanwhile is no room. */
static void leave_rest_out(
    const struct prof_account *account, struct prof_account_thread *thread)
{
    if (thread->rests == account->rests)
        return;
    thread->rests = account->rests;
    uint64_t used_ns = thread->end_ns > 0
                           ? thread->end_ns
                           : prof_thread_cpu_ns(account->pid, thread->tid);
    uint64_t most_ns =
        account_excess(clock_now_ns(CLOCK_MONOTONIC), account->roused_ns);
    thread->before_ns +=
        account_excess(used_ns, thread->before_ns + thread->given_ns + most_ns);
    if (thread->last_ns > 0 && thread->last_ns < account->roused_ns)
        thread->last_ns = account->roused_ns;
}

/*
 * The expiries that a tick stands for, up to the tick and not its signal. It is
 * late by no more than what its thread has used beyond a tick: one that comes
 * later was preempted.
 */
static uint64_t ticked_ns(
    struct prof_account *account, struct prof_account_thread *thread,
    const struct prof_pending *sample)
{
    uint64_t used_ns = sample->expiries * sample->period_ns + thread->late_ns;
    uint64_t late_ns = 0;
    if (sample->is_from_kernel)
        late_ns = prof_tick_phase_since_ns(&account->ticks, sample->time_ns);
    else
        prof_tick_phase_note(&account->ticks, sample->time_ns);
    thread->late_ns =
        account_least(late_ns, account_excess(used_ns, account->tick_ns));
    thread->turns += thread->is_in_kernel != sample->is_from_kernel;
    thread->is_in_kernel = sample->is_from_kernel;
    return used_ns - thread->late_ns;
}

/*
 * A new thread's first tick stands for others as well that no tick has met.
 * Where all have timers, one that has not ended has more of them to come.
 */
static bool is_first_tick(
    const struct prof_account *account,
    const struct prof_account_thread *thread, const struct prof_pending *sample)
{
    bool is_one_of_many =
        account->mode == PROF_CLOCK_PERF_USER && thread->end_ns == 0;
    return sample->is_tick && thread->is_new && !is_one_of_many;
}

void prof_account_weigh_base(
    struct prof_account *account, struct prof_account_thread *thread,
    struct prof_pending *sample)
{
    leave_rest_out(account, thread);
    uint64_t expiries_ns = sample->is_tick
                               ? ticked_ns(account, thread, sample)
                               : sample->expiries * sample->period_ns;
    bool is_room_only =
        sample->is_tick && !is_whole_tick(account, thread, sample);
    sample->is_first = is_first_tick(account, thread, sample);
    sample->weight_ns = is_room_only ? 0 : expiries_ns;
    sample->room_ns = 0;
    if (!sample->is_tick || sample->is_changed)
        sample->weight_ns += take_loss_ns(thread, sample);
    if (sample->is_first && account->tick_ns > sample->weight_ns)
        sample->room_ns = account->tick_ns - sample->weight_ns;
    else if (is_room_only)
        sample->room_ns = expiries_ns;
    else if (account->mode == PROF_CLOCK_PERF && !sample->is_tick)
        sample->room_ns = gap_ns(account, thread, sample);

    thread->is_new = false;
    thread->given_ns += sample->weight_ns;
    if (!is_room_only)
        thread->last_ns = sample->time_ns;
}
