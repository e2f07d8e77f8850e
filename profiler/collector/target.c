/* One program image being sampled, from HELLO to its end. */
#include "profiler/collector/target.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/collector/account_rest.h"
#include "profiler/collector/cpu_time.h"
#include "profiler/collector/looked_target.h"
#include "profiler/collector/process_files.h"
#include "profiler/collector/target_clock.h"
#include "profiler/collector/target_cpu.h"
#include "profiler/collector/target_drain.h"
#include "profiler/collector/target_threads.h"
#include "profiler/collector/unarmed.h"

/* Threads that are there already have used CPU time that is not sampled. */
static void note_main_thread(
    struct prof_target *target, struct prof_target *earlier)
{
    struct prof_account *account = &target->account;
    uint32_t index = prof_target_thread(target, target->pid);
    if (index == TABLE_NONE)
        return;
    struct prof_account_thread *thread = table_row(&account->threads, index);
    thread->before_ns = prof_thread_cpu_ns(target->pid, target->pid);
    account->startup_ns = prof_process_cpu_ns(target->pid);
    target->clock_ns = account->startup_ns;
    if (earlier != NULL)
        account->earlier_ns = prof_target_cpu_ns(earlier);
}

void prof_target_begin_looks(struct prof_target *target, bool is_continued)
{
    if (!target->common->is_wall)
        return;
    const struct prof_looked_process process = prof_looked_target(target);
    target->looks =
        prof_looks_create(&target->common->looks, &process, is_continued);
}

void prof_target_begin_now(struct prof_target *target)
{
    prof_target_begin_at(target, target->account.startup_ns);
}

void prof_target_begin_at(struct prof_target *target, uint64_t before_ns)
{
    target->account.startup_ns = target->account.earlier_ns = before_ns;
}

void prof_target_end_now(struct prof_target *target)
{
    target->until_ns = prof_target_cpu_ns(target);
}

/* The agent waits meanwhile: nothing is mapped or unmapped. */
static void scan_at_start(struct prof_address_space *space)
{
    char *maps = prof_address_space_read(space);
    if (maps != NULL)
        prof_address_space_apply(space, maps, clock_now_ns(CLOCK_MONOTONIC));
    free(maps);
}

struct prof_target *prof_target_open(
    struct prof_target_common *common, uint32_t pid, uint32_t inner_pid, int fd,
    struct prof_target *earlier, struct diag *diag)
{
    struct prof_target *target = calloc(1, sizeof *target);
    if (target == NULL) {
        (void)fail(diag, STATUS_NO_MEMORY, "out of memory");
        return NULL;
    }
    target->common = common;
    target->pid = pid;
    prof_limits_init(&target->limits, common->period_ns);
    target->inner_pid = inner_pid;
    prof_frame_cache_init(&target->frames);
    target->batch.row_bytes = sizeof(struct prof_pending);
    target->records.row_bytes = 1;
    prof_perf_clock_init(&target->clock);
    prof_switching_init(&target->switching);
    prof_clock_change_init(&target->change, pid);
    if (prof_ring_reader_open(&target->ring, fd, diag) != STATUS_OK) {
        free(target);
        return NULL;
    }
    target->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    target->process = prof_process_files_add(common->profile, pid);
    prof_address_space_init(
        &target->space, common->profile, &common->build_ids, target->process,
        pid);
    scan_at_start(&target->space);
    prof_slots_init(&target->slots);
    prof_unarmed_init(&target->unarmed);
    prof_offspring_init(&target->offspring, false);
    prof_account_init(
        &target->account, pid, PROF_CLOCK_TIMER, common->period_ns);
    note_main_thread(target, earlier);
    prof_target_arm(target);
    if (common->is_at_rest)
        prof_target_rest(target);
    prof_target_show_presence(target);
    return target;
}

/* What WIRE_EXEC and WIRE_EXEC_FAILED are, from one that cannot send them. */
static void answer_pause(struct prof_target *target)
{
    struct wire_header *header = target->ring.ring.header;
    /* Pairs with nothing but itself: the agent waits for is_paused. */
    uint32_t wanted =
        atomic_load_explicit(&header->pause_wanted, memory_order_relaxed) != 0;
    if (wanted ==
        atomic_load_explicit(&header->is_paused, memory_order_relaxed))
        return;
    if (wanted != 0) {
        prof_perf_clock_pause(&target->clock);
        (void)prof_target_drain(target);
    }
    /* Pairs with the acquire in wait_for_pause(): the events are disarmed. */
    atomic_store_explicit(&header->is_paused, wanted, memory_order_release);
    if (wanted == 0)
        prof_target_resume(target);
}

void prof_target_look(struct prof_target *target)
{
    answer_pause(target);
    struct prof_standing_news news = prof_standing_look(
        &target->standing, target->pid, clock_now_ns(CLOCK_MONOTONIC));
    if (news.has_new_filter)
        atomic_store_explicit(
            &target->ring.ring.header->is_filtered, 1, memory_order_relaxed);
    if (!news.is_tracing_changed)
        return;
    if (!target->standing.is_traced) {
        prof_target_resume(target);
        return;
    }
    prof_perf_clock_pause(&target->clock);
    if (target->mode != PROF_CLOCK_TIMER)
        prof_target_note_traced(target);
}

void prof_target_show_presence(struct prof_target *target)
{
    struct wire_header *header = target->ring.ring.header;
    atomic_store_explicit(
        &header->seen_ns, clock_now_ns(CLOCK_MONOTONIC), memory_order_relaxed);
    atomic_store_explicit(&header->is_unheard, 0, memory_order_relaxed);
}

/* ---- the end ---- */

static void add_rest(
    struct prof_target *target, const char *name, uint64_t value_ns)
{
    if (value_ns == 0)
        return;
    const struct prof_account_thread *main_thread =
        table_row(&target->account.threads, 0);
    struct prof_sample sample = {
        .time_ns = clock_now_ns(CLOCK_MONOTONIC),
        .thread = main_thread->thread};
    sample.values[target->common->value_cpu] = value_ns;
    if (target->common->is_wall)
        sample.values[target->common->value_wall] = value_ns;
    prof_account_add_rest(target->common->profile, name, &sample);
}

static void add_losses(struct prof_target *target)
{
    static const enum prof_loss reasons[WIRE_LOSS_COUNT] = {
        [WIRE_LOSS_FULL] = PROF_LOSS_RING_FULL,
        [WIRE_LOSS_CONTENDED] = PROF_LOSS_CONTENDED,
        [WIRE_LOSS_BUSY] = PROF_LOSS_BUSY,
        [WIRE_LOSS_ABANDONED] = PROF_LOSS_WRITER_DIED};
    struct prof_profile *profile = target->common->profile;
    for (int i = 0; i < WIRE_LOSS_COUNT; i++) {
        prof_profile_add_loss(
            profile, reasons[i],
            atomic_load_explicit(
                &target->ring.ring.header->loss[i], memory_order_relaxed));
    }
    struct wire_header *header = target->ring.ring.header;
    uint32_t children =
        atomic_load_explicit(&header->lost_children, memory_order_relaxed);
    prof_profile_add_loss(profile, PROF_LOSS_NOT_SAMPLED, children);
    target->common->lost.children += children;
    target->common->lost.timers +=
        atomic_load_explicit(&header->lost_timers, memory_order_relaxed);
    target->common->lost.given_up +=
        atomic_load_explicit(&header->was_given_up, memory_order_relaxed) != 0;
    prof_profile_add_loss(profile, PROF_LOSS_WRITER_DIED, target->ring.died);
    prof_profile_add_loss(profile, PROF_LOSS_MALFORMED, target->malformed);
}

static void close_account(struct prof_target *target)
{
    const struct wire_header *header = target->ring.ring.header;
    uint64_t exit_ns =
        atomic_load_explicit(&header->exit_cpu_ns, memory_order_relaxed);
    uint64_t total_ns = prof_target_cpu_ns(target);
    if (total_ns < exit_ns)
        total_ns = exit_ns;
    prof_target_count_rest(target, total_ns);

    struct prof_account_rest rest = prof_account_close(
        &target->account, total_ns, exit_ns, target->late_ns);
    if (target->account.threads.count > 0) {
        add_rest(target, "[startup]", rest.startup_ns);
        add_rest(target, "[exec]", rest.exec_ns);
        add_rest(target, "[unsampled]", rest.unsampled_ns);
        add_rest(target, "[exit]", rest.exit_ns);
    }
    if (target->process == PROF_NONE)
        return; /* out of memory, which the profile tells */
    struct prof_process *process =
        prof_profile_edit_process(target->common->profile, target->process);
    process->end_ns = clock_now_ns(CLOCK_MONOTONIC);
    uint64_t other_ns = target->account.earlier_ns + target->account.rested_ns;
    process->cpu_ns = total_ns > other_ns ? total_ns - other_ns : 0;
    target->common->rested_ns += target->account.rested_ns;
}

void prof_target_close(struct prof_target *target)
{
    atomic_store_explicit(
        &target->ring.ring.header->is_stopped, 1, memory_order_relaxed);
    prof_perf_clock_pause(&target->clock);
    (void)prof_target_drain(target);
    prof_looks_destroy(target->looks);
    close_account(target);
    add_losses(target);

    prof_perf_clock_fini(&target->clock);
    prof_switching_fini(&target->switching);
    prof_clock_change_fini(&target->change);
    prof_ring_reader_close(&target->ring);
    prof_account_fini(&target->account);
    prof_address_space_fini(&target->space);
    prof_slots_fini(&target->slots);
    prof_unarmed_fini(&target->unarmed);
    prof_offspring_fini(&target->offspring);
    index_fini(&target->threads_by_tid);
    prof_inner_tids_fini(&target->tids);
    prof_frame_cache_fini(&target->frames);
    table_fini(&target->batch);
    table_fini(&target->records);
    if (target->pidfd >= 0)
        (void)close(target->pidfd);
    free(target);
}
