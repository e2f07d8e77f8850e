/* The account of one process: what each sample weighs, and what is left. */
#include "profiler/collector/account.h"

#include <math.h>
#include <time.h>

#include "profiler/base/clock.h"
#include "profiler/base/proc.h"
#include "profiler/collector/account_model.h"
#include "profiler/collector/cpu_time.h"

enum { FROM_KERNEL, ELSEWHERE };

void prof_account_init(
    struct prof_account *account, uint32_t pid, enum prof_clock_mode mode,
    uint64_t period_ns)
{
    struct timespec tick = {.tv_nsec = 4000000};
    struct proc_boot boot;
    (void)clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
    *account = (struct prof_account){
        .mode = mode,
        .period_ns = period_ns,
        .tick_ns = (uint64_t)tick.tv_nsec,
        .pid = pid,
        .weighed_ns = clock_now_ns(CLOCK_MONOTONIC),
        .threads = {.row_bytes = sizeof(struct prof_account_thread)},
        .ended = {.row_bytes = sizeof(uint32_t)}};
    proc_boot_read(&boot);
    prof_tick_phase_init(&account->ticks, account->tick_ns, boot.text);
}

void prof_account_fini(struct prof_account *account)
{
    table_fini(&account->threads);
    table_fini(&account->ended);
}

uint32_t prof_account_add_thread(
    struct prof_account *account, uint32_t tid, uint32_t thread,
    uint64_t before_ns)
{
    struct prof_account_thread row = {
        .tid = tid, .thread = thread, .is_new = true, .before_ns = before_ns};
    return table_add(&account->threads, &row);
}

void prof_account_end_thread(
    struct prof_account *account, uint32_t index, uint64_t cpu_ns,
    uint64_t before_ns)
{
    if (cpu_ns > INT64_MAX / 2 || before_ns > cpu_ns)
        return; /* told by a target that cannot be trusted */
    if (index == TABLE_NONE) {
        account->ended_ns += (int64_t)(cpu_ns - before_ns);
        return;
    }
    struct prof_account_thread *thread = table_row(&account->threads, index);
    if (thread->end_ns > 0 || table_add(&account->ended, &index) == TABLE_NONE)
        return;
    thread->end_ns = cpu_ns;
    thread->before_ns = before_ns;
}

static struct prof_account_thread *thread_of(
    const struct prof_account *account, const struct prof_pending *sample)
{
    return table_row(&account->threads, sample->thread);
}

void prof_account_rouse(struct prof_account *account, uint64_t now_ns)
{
    account->roused_ns = account->weighed_ns = now_ns;
    account->rests++;
}

/*
 * What a thread has used and nobody accounts for. Once it is gone its time
 * cannot be read; where ticks alone show the kernel, the process's bounds it.
 */
static uint64_t left_of_thread(
    const struct prof_account *account,
    const struct prof_account_thread *thread)
{
    uint64_t used_ns = thread->end_ns;
    if (account->left_ns == 0)
        return 0; /* most of the time: no file of the thread's is read */
    if (used_ns > 0)
        return account_least(
            account_excess(used_ns, thread->before_ns + thread->given_ns),
            account->left_ns);
    used_ns = prof_thread_cpu_ns(account->pid, thread->tid);
    if (used_ns == 0)
        return account->mode == PROF_CLOCK_PERF ? 0 : account->left_ns;
    /* A period is kept back: half of one is under way, on average. */
    uint64_t known_ns = thread->before_ns + thread->given_ns;
    if (account->mode == PROF_CLOCK_PERF)
        known_ns += account->period_ns;
    return account_least(account_excess(used_ns, known_ns), account->left_ns);
}

/*
 * What ticks in the kernel may stand for, all in all, beyond their number: its
 * standard error. Where each tick falls by chance, half of the turns are its
 * square; where a thread computes for long and then calls for long, there are
 * few turns, and little is left to chance.
 */
static uint64_t margin_ns(
    const struct prof_account *account,
    const struct prof_account_thread *thread)
{
    double square = 1 + (double)thread->turns / 2;
    return (uint64_t)(sqrt(square) * (double)account->tick_ns);
}

/* Decide which shares of its room a thread's batch may fill. */
static void fill_room(
    const struct prof_account *account, struct prof_account_thread *thread)
{
    enum { FILL_MAX = 3 }; /* no single sample makes up for a long drought */
    uint64_t *room_ns = thread->room_ns;
    thread->fill[FROM_KERNEL] = thread->fill[ELSEWHERE] = 0;
    if (room_ns[FROM_KERNEL] + room_ns[ELSEWHERE] == 0 || thread->tid == 0)
        return;

    uint64_t left_ns = left_of_thread(account, thread);
    thread->kernel_room_ns += room_ns[FROM_KERNEL];
    uint64_t allowed_ns = account_excess(
        thread->kernel_room_ns + margin_ns(account, thread),
        thread->kernel_given_ns);
    uint64_t kernel_ns = account_least(
        account_least(left_ns, allowed_ns), FILL_MAX * room_ns[FROM_KERNEL]);
    if (account->mode == PROF_CLOCK_PERF)
        kernel_ns = account_least(kernel_ns, room_ns[FROM_KERNEL]);
    thread->kernel_given_ns += kernel_ns;
    if (room_ns[FROM_KERNEL] > 0)
        thread->fill[FROM_KERNEL] =
            (double)kernel_ns / (double)room_ns[FROM_KERNEL];

    /* Perf with the kernel in it tells both alike, so nothing is held back. */
    left_ns -= kernel_ns;
    if (account->mode != PROF_CLOCK_PERF)
        left_ns = account_excess(left_ns, allowed_ns - kernel_ns);
    if (room_ns[ELSEWHERE] > 0)
        thread->fill[ELSEWHERE] =
            (double)account_least(left_ns, room_ns[ELSEWHERE]) /
            (double)room_ns[ELSEWHERE];
}

static int class_of(const struct prof_pending *sample)
{
    return sample->is_from_kernel ? FROM_KERNEL : ELSEWHERE;
}

static void grant(
    struct prof_account *account, struct prof_pending *sample, double fill)
{
    uint64_t more_ns = account_least(
        (uint64_t)(fill * (double)sample->room_ns), account->left_ns);
    struct prof_account_thread *thread = thread_of(account, sample);
    sample->weight_ns += more_ns;
    if (!thread->is_new) /* else it has ended, and its account is closed */
        thread->given_ns += more_ns;
    account->given_ns += more_ns;
    account->left_ns -= more_ns;
}

/*
 * Close the accounts of the threads that have ended: what their own samples do
 * not cover is for first ticks to share. Another thread may get such a tid.
 */
static void close_ended(struct prof_account *account)
{
    for (uint32_t i = 0; i < account->ended.count; i++) {
        uint32_t index = *(uint32_t *)table_row(&account->ended, i);
        struct prof_account_thread *thread =
            table_row(&account->threads, index);
        account->ended_ns += (int64_t)thread->end_ns -
                             (int64_t)(thread->before_ns + thread->given_ns);
        *thread = (struct prof_account_thread){
            .tid = thread->tid, .thread = thread->thread, .is_new = true};
    }
    account->ended.count = 0;
}

/* A first tick takes a whole one, and makes up for a few that came too late. */
static void fill_first_ticks(
    struct prof_account *account, struct prof_pending *batch, size_t count)
{
    enum { TICKS_MAX = 2 };
    uint64_t room_ns = 0;
    for (size_t i = 0; i < count; i++)
        room_ns += batch[i].is_first ? batch[i].room_ns : 0;
    if (room_ns == 0 || account->ended_ns <= 0)
        return;
    uint64_t shared_ns = account_least(
        account_least((uint64_t)account->ended_ns, account->left_ns),
        TICKS_MAX * room_ns);
    account->ended_ns -= (int64_t)shared_ns;
    for (size_t i = 0; i < count; i++) {
        if (batch[i].is_first)
            grant(account, &batch[i], (double)shared_ns / (double)room_ns);
    }
}

/* CPU time of the process that stands somewhere already. */
static uint64_t accounted_ns(const struct prof_account *account)
{
    return account->startup_ns + account->rested_ns + account->given_ns;
}

/* Half a period for each thread: on average it has used so much of one. */
static uint64_t half_periods_ns(const struct prof_account *account)
{
    return account->period_ns / 2 * (1 + proc_thread_count(account->pid));
}

/* What may be filled: used, not accounted for, and not under way. */
static uint64_t left_of_process(
    const struct prof_account *account, uint64_t total_ns)
{
    uint64_t known_ns = accounted_ns(account);
    if (total_ns == 0)
        return UINT64_MAX; /* unknown */
    if (total_ns <= known_ns + account->period_ns / 2)
        return 0; /* however many threads there are */
    return account_excess(total_ns, known_ns + half_periods_ns(account));
}

/*
 * Perf's clock runs on while a hypervisor has taken the processor away, and the
 * kernel's figure leaves that out. What samples have too much, beyond half a
 * period for each thread, the batch gives back, each its share of it.
 */
static void give_back(
    struct prof_account *account, struct prof_pending *batch, size_t count,
    uint64_t total_ns)
{
    enum { MOST = 2 }; /* a sample keeps one part of so many */
    uint64_t known_ns = accounted_ns(account);
    if (account->mode != PROF_CLOCK_PERF || total_ns == 0 ||
        known_ns <= total_ns + account->period_ns)
        return;
    uint64_t batch_ns = 0;
    uint64_t over_ns =
        account_excess(known_ns, total_ns + half_periods_ns(account));
    for (size_t i = 0; i < count; i++)
        batch_ns += batch[i].weight_ns;
    if (over_ns == 0 || batch_ns == 0)
        return;
    double share =
        (double)account_least(over_ns, batch_ns / MOST) / (double)batch_ns;
    for (size_t i = 0; i < count; i++) {
        uint64_t back_ns = (uint64_t)(share * (double)batch[i].weight_ns);
        batch[i].weight_ns -= back_ns;
        thread_of(account, &batch[i])->given_ns -= back_ns;
        account->given_ns -= back_ns;
    }
}

/* Each thread fills the room of its own samples. */
static void fill_threads(
    struct prof_account *account, struct prof_pending *batch, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct prof_account_thread *thread = thread_of(account, &batch[i]);
        if (!thread->is_filled)
            fill_room(account, thread);
        thread->is_filled = true;
        if (!batch[i].is_first)
            grant(account, &batch[i], thread->fill[class_of(&batch[i])]);
    }
}

void prof_account_weigh(
    struct prof_account *account, struct prof_pending *batch, size_t count,
    uint64_t total_ns)
{
    uint64_t room_ns = 0;
    for (size_t i = 0; i < count; i++) {
        struct prof_account_thread *thread = thread_of(account, &batch[i]);
        thread->room_ns[FROM_KERNEL] = thread->room_ns[ELSEWHERE] = 0;
        thread->is_filled = false;
    }
    for (size_t i = 0; i < count; i++) {
        struct prof_account_thread *thread = thread_of(account, &batch[i]);
        prof_account_weigh_base(account, thread, &batch[i]);
        account->given_ns += batch[i].weight_ns;
        room_ns += batch[i].room_ns;
        if (!batch[i].is_first)
            thread->room_ns[class_of(&batch[i])] += batch[i].room_ns;
    }
    give_back(account, batch, count, total_ns);
    if (room_ns > 0) {
        account->left_ns = left_of_process(account, total_ns);
        fill_threads(account, batch, count);
    }
    close_ended(account);
    fill_first_ticks(account, batch, count);
    if (count > 0)
        account->weighed_ns = batch[count - 1].time_ns;
}
