/* The account of one process: what each sample weighs, and what is left. */
#include "profiler/collector/account.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { AT_SYSCALL, ELSEWHERE };

void prof_account_init(
    struct prof_account *account, uint32_t pid, enum prof_clock_mode mode,
    uint64_t period_ns)
{
    struct timespec tick = {.tv_nsec = 4000000};
    (void)clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
    *account = (struct prof_account){
        .mode = mode,
        .period_ns = period_ns,
        .tick_ns = (uint64_t)tick.tv_nsec,
        .pid = pid,
        .threads = {.row_bytes = sizeof(struct prof_account_thread)}};
}

void prof_account_fini(struct prof_account *account)
{
    table_fini(&account->threads);
}

uint32_t prof_account_add_thread(
    struct prof_account *account, uint32_t tid, uint32_t thread,
    uint64_t before_ns)
{
    struct prof_account_thread row = {
        .tid = tid, .thread = thread, .is_new = true, .before_ns = before_ns};
    return table_add(&account->threads, &row);
}

uint64_t prof_thread_cpu_ns(uint32_t pid, uint32_t tid)
{
    char path[64];
    uint64_t used_ns = 0;
    (void)snprintf(
        path, sizeof path, "/proc/%" PRIu32 "/task/%" PRIu32 "/schedstat", pid,
        tid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%" SCNu64, &used_ns) != 1)
        used_ns = 0;
    (void)fclose(file);
    return used_ns;
}

uint64_t prof_process_cpu_ns(uint32_t pid)
{
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid((pid_t)pid, &clock) != 0 ||
        clock_gettime(clock, &used) != 0)
        return 0;
    return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

static struct prof_account_thread *thread_of(
    const struct prof_account *account, const struct prof_pending *sample)
{
    return table_row(&account->threads, sample->thread);
}

/* Periods that passed since the thread's sample before, this one's apart. */
static uint64_t gap_ns(
    const struct prof_account *account,
    const struct prof_account_thread *thread, const struct prof_pending *sample)
{
    if (thread->last_ns == 0 || sample->time_ns <= thread->last_ns)
        return 0;
    uint64_t periods = (sample->time_ns - thread->last_ns) / account->period_ns;
    return periods > 1 ? (periods - 1) * account->period_ns : 0;
}

/* Give a sample its base weight, and its room for more. */
static void weigh_base(
    const struct prof_account *account, struct prof_account_thread *thread,
    struct prof_pending *sample)
{
    uint64_t expiries_ns = sample->expiries * account->period_ns;
    bool is_room_only = sample->is_tick && account->mode != PROF_CLOCK_TIMER;
    sample->is_first = sample->is_tick && thread->is_new;
    sample->weight_ns = is_room_only ? 0 : expiries_ns;
    sample->room_ns = 0;
    if (sample->is_first && account->tick_ns > sample->weight_ns)
        sample->room_ns = account->tick_ns - sample->weight_ns;
    else if (is_room_only && account->mode == PROF_CLOCK_PERF_USER)
        sample->room_ns = expiries_ns;
    else if (!is_room_only && account->mode == PROF_CLOCK_PERF)
        sample->room_ns = gap_ns(account, thread, sample);

    thread->is_new = false;
    thread->given_ns += sample->weight_ns;
    if (!is_room_only)
        thread->last_ns = sample->time_ns;
}

/*
 * Decide which shares of its room a thread's batch may fill. A period is kept
 * back in perf mode: on average half of one is under way and not yet signalled.
 */
static void fill_room(
    struct prof_account *account, struct prof_account_thread *thread)
{
    thread->fill[AT_SYSCALL] = thread->fill[ELSEWHERE] = 0;
    if (thread->room_ns[AT_SYSCALL] + thread->room_ns[ELSEWHERE] == 0 ||
        thread->tid == 0)
        return;

    uint64_t used_ns = prof_thread_cpu_ns(account->pid, thread->tid);
    uint64_t known_ns = thread->before_ns + thread->given_ns;
    if (account->mode == PROF_CLOCK_PERF)
        known_ns += account->period_ns;
    uint64_t left_ns = used_ns > known_ns ? used_ns - known_ns : 0;

    for (int class = AT_SYSCALL; class <= ELSEWHERE; class ++) {
        uint64_t room_ns = thread->room_ns[class];
        uint64_t taken_ns = left_ns < room_ns ? left_ns : room_ns;
        if (room_ns > 0)
            thread->fill[class] = (double)taken_ns / (double)room_ns;
        left_ns -= taken_ns;
    }
}

static int class_of(const struct prof_pending *sample)
{
    return sample->is_syscall ? AT_SYSCALL : ELSEWHERE;
}

static void grant(
    struct prof_account *account, struct prof_pending *sample, double fill)
{
    uint64_t more_ns = (uint64_t)(fill * (double)sample->room_ns);
    sample->weight_ns += more_ns;
    thread_of(account, sample)->given_ns += more_ns;
    account->given_ns += more_ns;
}

/*
 * Fill the room of new threads' first ticks with what the process has used and
 * nobody accounts for, less a period that may be under way.
 */
static void fill_first_ticks(
    struct prof_account *account, struct prof_pending *batch, size_t count,
    uint64_t total_ns)
{
    uint64_t room_ns = 0;
    uint64_t known_ns =
        account->startup_ns + account->given_ns + account->period_ns;
    for (size_t i = 0; i < count; i++)
        room_ns += batch[i].is_first ? batch[i].room_ns : 0;
    if (room_ns == 0 || total_ns <= known_ns)
        return;
    uint64_t left_ns = total_ns - known_ns;
    double fill = left_ns < room_ns ? (double)left_ns / (double)room_ns : 1;
    for (size_t i = 0; i < count; i++) {
        if (batch[i].is_first)
            grant(account, &batch[i], fill);
    }
}

void prof_account_weigh(
    struct prof_account *account, struct prof_pending *batch, size_t count,
    uint64_t total_ns)
{
    for (size_t i = 0; i < count; i++) {
        struct prof_account_thread *thread = thread_of(account, &batch[i]);
        thread->room_ns[AT_SYSCALL] = thread->room_ns[ELSEWHERE] = 0;
        thread->is_filled = false;
    }
    for (size_t i = 0; i < count; i++) {
        struct prof_account_thread *thread = thread_of(account, &batch[i]);
        weigh_base(account, thread, &batch[i]);
        account->given_ns += batch[i].weight_ns;
        if (!batch[i].is_first)
            thread->room_ns[class_of(&batch[i])] += batch[i].room_ns;
    }
    for (size_t i = 0; i < count; i++) {
        struct prof_account_thread *thread = thread_of(account, &batch[i]);
        if (!thread->is_filled)
            fill_room(account, thread);
        thread->is_filled = true;
        if (!batch[i].is_first)
            grant(account, &batch[i], thread->fill[class_of(&batch[i])]);
    }
    fill_first_ticks(account, batch, count, total_ns);
}

static uint64_t take(uint64_t *from, uint64_t wanted)
{
    uint64_t taken = wanted < *from ? wanted : *from;
    *from -= taken;
    return taken;
}

struct prof_account_rest prof_account_close(
    const struct prof_account *account, uint64_t total_ns, uint64_t exit_ns,
    uint64_t late_ns)
{
    struct prof_account_rest rest = {0};
    uint64_t before_ns = account->earlier_ns < account->startup_ns
                             ? account->startup_ns - account->earlier_ns
                             : 0;
    if (account->earlier_ns > 0)
        rest.exec_ns = before_ns;
    else
        rest.startup_ns = before_ns;

    uint64_t known_ns = account->startup_ns + account->given_ns;
    uint64_t left_ns = total_ns > known_ns ? total_ns - known_ns : 0;
    if (exit_ns > 0 && total_ns > exit_ns + late_ns)
        rest.exit_ns = take(&left_ns, total_ns - exit_ns - late_ns);
    rest.unsampled_ns = left_ns;
    return rest;
}

void prof_account_add_rest(
    struct prof_profile *profile, const char *name, struct prof_sample *sample)
{
    if (sample->state == PROF_STATE_UNKNOWN)
        sample->state = PROF_STATE_ON_CPU;
    sample->stack = prof_profile_add_stack(
        profile, PROF_NONE,
        prof_profile_add_named_frame(profile, PROF_FRAME_ACCOUNT, name));
    (void)prof_profile_add_sample(profile, sample);
}
