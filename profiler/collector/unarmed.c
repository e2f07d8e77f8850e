/* Threads that a guest gives no timer; see the header. */
#include "profiler/collector/unarmed.h"

#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiler/base/clock.h"
#include "profiler/collector/resolve.h"
#include "profiler/collector/target.h"
#include "profiler/collector/task_files.h"

enum { TEXT_BYTES = 4096 };

enum reason { ARMED, BLOCKING, FILTERED, REASONS };

static const char *const labels[REASONS] = {
    [BLOCKING] = "[not sampled: SIGURG blocked]",
    [FILTERED] = "[not sampled: seccomp]"};

/* Of one, and of several. */
static const char *const sentences[REASONS][2] = {
    [BLOCKING] = {"blocks SIGURG", "block SIGURG"},
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

static bool read_status(uint32_t pid, uint32_t tid, char *text, size_t bytes)
{
    char path[64];
    (void)snprintf(
        path, sizeof path, "/proc/%" PRIu32 "/task/%" PRIu32 "/status", pid,
        tid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    size_t got = fread(text, 1, bytes - 1, file);
    (void)fclose(file);
    text[got] = '\0';
    return got > 0;
}

static uint64_t number_behind(const char *text, const char *name, int base)
{
    const char *at = strstr(text, name);
    return at != NULL ? strtoull(at + strlen(name), NULL, base) : 0;
}

/* As may_be_armed() in the guest has it. */
static enum reason reason_of(const char *text, uint64_t filters)
{
    if (number_behind(text, "\nSigBlk:", 16) >> (SIGURG - 1) & 1)
        return BLOCKING;
    return number_behind(text, "\nSeccomp_filters:", 10) != filters ? FILTERED
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
    uint64_t filters)
{
    char text[TEXT_BYTES];
    uint64_t now_ns = prof_thread_cpu_ns(target->pid, tid);
    struct prof_unarmed_thread *known = find(unarmed, tid);
    if (!read_status(target->pid, tid, text, sizeof text))
        return;
    if (known != NULL) {
        /* Not with what it used while it could be sampled, as far as is seen.
         */
        if (reason_of(text, filters) != ARMED && now_ns > known->now_ns)
            known->now_ns = now_ns;
        return;
    }
    struct prof_unarmed_thread thread = {
        .tid = tid,
        .reason = reason_of(text, filters),
        .before_ns = now_ns,
        .now_ns = now_ns};
    if (thread.reason == ARMED)
        return;
    thread.index = prof_target_thread(
        target, target->inner_pid == target->pid
                    ? tid
                    : prof_task_inner_tid(target->pid, tid));
    if (thread.index == TABLE_NONE)
        return;
    thread.given_ns = given_to(target, thread.index);
    (void)table_add(&unarmed->threads, &thread);
}

void prof_unarmed_look(struct prof_unarmed *unarmed, struct prof_target *target)
{
    char text[TEXT_BYTES];
    (void)snprintf(text, sizeof text, "/proc/%" PRIu32 "/task", target->pid);
    DIR *folder = opendir(text);
    if (folder == NULL)
        return;
    uint64_t filters =
        read_status(target->pid, target->guest_tid, text, sizeof text)
            ? number_behind(text, "\nSeccomp_filters:", 10)
            : 0;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        uint32_t tid = (uint32_t)strtoul(entry->d_name, NULL, 10);
        if (tid != 0 && tid != target->guest_tid &&
            prof_chosen_has(&target->chosen, tid))
            see_thread(unarmed, target, tid, filters);
    }
    (void)closedir(folder);
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
    for (unsigned reason = BLOCKING; reason < REASONS; reason++) {
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
