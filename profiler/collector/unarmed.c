/* Threads that a guest gives no timer; see the header. */
#include "profiler/collector/unarmed.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiler/base/clock.h"
#include "profiler/base/proc.h"
#include "profiler/collector/account_rest.h"
#include "profiler/collector/cpu_time.h"
#include "profiler/collector/injected.h"
#include "profiler/collector/target_model.h"
#include "profiler/collector/target_threads.h"

enum reason { ARMED, BLOCKING_URGENT, BLOCKING_WINDOW, FILTERED, REASONS };

static const char *const labels[REASONS] = {
    [BLOCKING_URGENT] = "[not sampled: SIGURG blocked]",
    [BLOCKING_WINDOW] = "[not sampled: SIGWINCH blocked]",
    [FILTERED] = "[not sampled: seccomp]"};

/* Of one, and of several. */
static const char *const sentences[REASONS][2] = {
    [BLOCKING_URGENT] = {"blocks SIGURG", "block SIGURG"},
    [BLOCKING_WINDOW] = {"blocks SIGWINCH", "block SIGWINCH"},
    [FILTERED] = {
        "has a seccomp filter of its own",
        "have seccomp filters of their own"}};

struct prof_unarmed_thread {
    uint32_t tid;
    enum reason reason;
    uint32_t index;             /* of the target's account */
    uint64_t before_ns, now_ns; /* CPU time: when first seen, and last */
    uint64_t given_ns;          /* weights of its samples when first seen */
};

void prof_unarmed_init(struct prof_unarmed *unarmed)
{
    unarmed->threads =
        (struct table){.row_bytes = sizeof(struct prof_unarmed_thread)};
}

void prof_unarmed_fini(struct prof_unarmed *unarmed)
{
    table_fini(&unarmed->threads);
}

/* ---- who ---- */

/* As may_be_armed() in the guest has it. */
static enum reason reason_of(
    const struct prof_target *target, const struct proc_status *status,
    uint32_t filters)
{
    int signal = prof_injected_signal(target->injected);
    uint64_t blocked = strtoull(proc_status_line(status, "SigBlk"), NULL, 16);
    if (blocked >> (signal - 1) & 1)
        return signal == SIGURG ? BLOCKING_URGENT : BLOCKING_WINDOW;
    return proc_status_number(status, "Seccomp_filters") != filters ? FILTERED
                                                                    : ARMED;
}

static struct prof_unarmed_thread *find(
    struct prof_unarmed *unarmed, uint32_t tid)
{
    for (uint32_t i = 0; i < unarmed->threads.count; i++) {
        struct prof_unarmed_thread *thread = table_row(&unarmed->threads, i);
        if (thread->tid == tid)
            return thread;
    }
    return NULL;
}

static uint64_t given_to(const struct prof_target *target, uint32_t index)
{
    const struct prof_account_thread *row =
        table_row(&target->account.threads, index);
    return row->given_ns;
}

static void see_thread(
    struct prof_unarmed *unarmed, struct prof_target *target, uint32_t tid,
    uint32_t filters)
{
    struct proc_status status;
    uint64_t now_ns = prof_thread_cpu_ns(target->pid, tid);
    struct prof_unarmed_thread *known = find(unarmed, tid);
    if (!proc_status_read(&status, target->pid, tid))
        return;
    if (known != NULL) {
        /* Not with what it used while it could be sampled, as far as is seen.
         */
        if (reason_of(target, &status, filters) != ARMED &&
            now_ns > known->now_ns)
            known->now_ns = now_ns;
        return;
    }
    struct prof_unarmed_thread thread = {
        .tid = tid,
        .reason = reason_of(target, &status, filters),
        .before_ns = now_ns,
        .now_ns = now_ns};
    if (thread.reason == ARMED)
        return;
    thread.index = prof_target_thread(target, tid);
    if (thread.index == TABLE_NONE)
        return;
    thread.given_ns = given_to(target, thread.index);
    (void)table_add(&unarmed->threads, &thread);
}

void prof_unarmed_look(struct prof_unarmed *unarmed, struct prof_target *target)
{
    struct proc_status status;
    struct proc_tasks tasks;
    uint32_t tid;
    if (!proc_tasks_open(&tasks, target->pid))
        return;
    uint32_t filters = proc_status_read(&status, target->pid, target->guest_tid)
                           ? proc_status_number(&status, "Seccomp_filters")
                           : 0;
    while (proc_tasks_next(&tasks, &tid)) {
        if (tid != target->guest_tid && prof_chosen_has(&target->chosen, tid))
            see_thread(unarmed, target, tid, filters);
    }
    proc_tasks_close(&tasks);
}

/* ---- the end ---- */

/* In all, what no sample stands for is not more than the process's rest. */
static uint64_t give(
    const struct prof_unarmed_thread *thread, struct prof_target *target)
{
    const struct prof_account_thread *row =
        table_row(&target->account.threads, thread->index);
    uint64_t used_ns = thread->now_ns - thread->before_ns;
    uint64_t given_ns = row->given_ns - thread->given_ns;
    if (used_ns <= given_ns)
        return 0;
    struct prof_sample sample = {
        .time_ns = clock_now_ns(CLOCK_MONOTONIC), .thread = row->thread};
    sample.values[target->common->value_cpu] = used_ns - given_ns;
    if (target->common->is_wall)
        sample.values[target->common->value_wall] = used_ns - given_ns;
    prof_account_add_rest(
        target->common->profile, labels[thread->reason], &sample);
    target->account.given_ns += used_ns - given_ns;
    return used_ns - given_ns;
}

void prof_unarmed_finish(
    struct prof_unarmed *unarmed, struct prof_target *target)
{
    uint64_t sum_ns[REASONS] = {0};
    uint32_t count[REASONS] = {0};
    prof_unarmed_look(unarmed, target);
    for (uint32_t i = 0; i < unarmed->threads.count; i++) {
        const struct prof_unarmed_thread *thread =
            table_row(&unarmed->threads, i);
        uint64_t given_ns = give(thread, target);
        sum_ns[thread->reason] += given_ns;
        count[thread->reason] += given_ns > 0;
    }
    for (unsigned reason = BLOCKING_URGENT; reason < REASONS; reason++) {
        char note[256];
        (void)snprintf(
            note, sizeof note,
            "%" PRIu32 " thread%s of process %" PRIu32
            " %s, and could not be sampled: %.3f s of CPU time; 'watchfire "
            "record --via perf -p %" PRIu32 "' asks for no signal",
            count[reason], count[reason] == 1 ? "" : "s", target->pid,
            sentences[reason][count[reason] > 1], (double)sum_ns[reason] / 1e9,
            target->pid);
        if (count[reason] > 0)
            prof_profile_add_note(target->common->profile, note);
    }
}
