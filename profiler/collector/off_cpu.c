/* The account of one thread's time off CPU; see the header. */
#include "profiler/collector/off_cpu.h"

#include "profiler/model/profile.h"

/* How far the CPU time of a running thread may lag: a tick at HZ=100. */
#define STALE_NS UINT64_C(10000000)

static uint64_t less(uint64_t from, uint64_t taken)
{
    return from > taken ? from - taken : 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Time since `then` that was neither on a CPU nor spent waiting for one. */
static uint64_t slept_since(
    const struct prof_look *then, const struct prof_look *now)
{
    uint64_t used_ns =
        less(now->cpu_ns, then->cpu_ns) + less(now->wait_ns, then->wait_ns);
    return less(less(now->time_ns, then->time_ns), used_ns);
}

void prof_off_cpu_begin(
    struct prof_off_cpu *account, const struct prof_look *first)
{
    *account = (struct prof_off_cpu){.first = *first, .last = *first};
}

bool prof_off_cpu_is_quiet(
    const struct prof_off_cpu *account, const struct prof_look *look)
{
    const struct prof_look *last = &account->last;
    return last->is_asleep && look->runs == last->runs &&
           look->cpu_ns == last->cpu_ns;
}

/* Give up to `ns` of `left_ns`. */
static void give(
    struct prof_off_time *times, unsigned *count, uint64_t *left_ns,
    struct prof_off_time wanted)
{
    wanted.ns = least(wanted.ns, *left_ns);
    *left_ns -= wanted.ns;
    if (wanted.ns > 0)
        times[(*count)++] = wanted;
}

static void give_wait(
    struct prof_off_cpu *account, const struct prof_look *look,
    struct prof_off_time *times, unsigned *count)
{
    uint64_t all_ns = less(look->wait_ns, account->first.wait_ns);
    uint64_t left_ns = less(all_ns, account->waited_ns);
    account->waited_ns += left_ns;
    struct prof_off_time wait = {left_ns, PROF_NONE, PROF_STATE_RUNNABLE, 0};
    give(times, count, &left_ns, wait);
}

/* How much of the time since the last look was the end of the sleep it saw. */
static uint64_t end_of_earlier(
    const struct prof_off_cpu *account, const struct prof_look *look)
{
    const struct prof_look *last = &account->last;
    if (!last->is_asleep)
        return 0;
    uint64_t slept_ns = slept_since(last, look);
    uint64_t sleeps = less(look->runs, last->runs);
    if (look->is_asleep)
        return slept_ns / (sleeps + 1);
    return less(slept_ns, STALE_NS) / (sleeps > 0 ? sleeps : 1);
}

unsigned prof_off_cpu_add(
    struct prof_off_cpu *account, const struct prof_look *look,
    struct prof_off_time times[static PROF_OFF_TIMES])
{
    unsigned count = 0;
    const struct prof_look *last = &account->last;
    uint64_t left_ns =
        less(slept_since(&account->first, look), account->slept_ns);
    uint64_t before_ns = left_ns;
    struct prof_off_time earlier = {
        end_of_earlier(account, look), last->stack, last->state, last->flags};
    struct prof_off_time present = {
        UINT64_MAX, look->stack, look->state, look->flags};

    give_wait(account, look, times, &count);
    if (look->is_asleep && prof_off_cpu_is_quiet(account, look)) {
        give(times, &count, &left_ns, present);
    } else {
        give(times, &count, &left_ns, earlier);
        if (look->is_asleep)
            give(times, &count, &left_ns, present);
    }
    account->slept_ns += before_ns - left_ns;
    account->last = *look;
    return count;
}

/* Of `left_ns` since the last look, what it may have waited for a CPU. */
static uint64_t estimate_wait(
    const struct prof_off_cpu *account, uint64_t left_ns)
{
    const struct prof_look *first = &account->first, *last = &account->last;
    uint64_t waited_ns = less(last->wait_ns, first->wait_ns);
    uint64_t off_ns = waited_ns + slept_since(first, last);
    if (last->is_asleep || off_ns == 0)
        return 0;
    return (uint64_t)((double)left_ns * (double)waited_ns / (double)off_ns);
}

unsigned prof_off_cpu_end(
    struct prof_off_cpu *account, uint64_t end_ns, uint64_t cpu_ns,
    uint64_t wait_ns, struct prof_off_time times[static PROF_OFF_TIMES])
{
    struct prof_look end = account->last;
    end.time_ns = end_ns;
    end.runs += cpu_ns > end.cpu_ns;
    end.cpu_ns = cpu_ns > end.cpu_ns ? cpu_ns : end.cpu_ns;
    uint64_t left_ns = slept_since(&account->last, &end);
    end.wait_ns += wait_ns != 0 ? least(less(wait_ns, end.wait_ns), left_ns)
                                : estimate_wait(account, left_ns);
    if (!prof_off_cpu_is_quiet(account, &end)) {
        end.stack = PROF_NONE;
        end.state = PROF_STATE_OFF_CPU;
        end.flags = 0;
        /* One that slept when last seen woke up to end: that was its sleep. */
        if (account->last.is_asleep) {
            end.stack = account->last.stack;
            end.state = account->last.state;
            end.flags = account->last.flags;
        }
        end.is_asleep = true;
    }
    return prof_off_cpu_add(account, &end, times);
}
