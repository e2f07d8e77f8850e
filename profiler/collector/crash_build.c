/* From the agent's words to a crash. */
#include "profiler/collector/crash_build.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/collector/crash_registers.h"
#include "profiler/collector/crash_words.h"
#include "profiler/collector/process_files.h"
#include "profiler/collector/snapshot.h"
#include "profiler/collector/target_threads.h"
#include "profiler/unwind/sig_walk.h"

/* The target may write into its slot as we read: what is used is copied. */
static struct wire_crash *copy_slot(const struct wire_crash *slot)
{
    struct wire_crash *copy = malloc(sizeof *copy);
    if (copy == NULL)
        return NULL;
    memcpy(copy, slot, sizeof *copy);
    if (copy->frame_count > WIRE_FRAMES_MAX)
        copy->frame_count = 0;
    return copy;
}

/*
 * The thread that crashed, as we see it; where that is not known, the first. A
 * child that has no agent of its own is another process than the target.
 */
static uint32_t outer_tid(
    struct prof_target *target, const struct wire_crash *slot, uint32_t pid)
{
    uint32_t tid = slot->pid == pid ? slot->tid : 0;
    if (pid == target->pid && slot->pid == target->inner_pid)
        tid = prof_target_outer_tid(target, slot->tid);
    return tid != 0 ? tid : pid;
}

static void set_times(
    struct prof_crash *crash, const struct prof_target *target)
{
    uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
    const struct prof_process *process =
        prof_profile_process(target->common->profile, target->process);
    crash->time_ns = now_ns;
    crash->unix_ns = clock_now_ns(CLOCK_REALTIME);
    crash->start_unix_ns = crash->unix_ns - (now_ns - process->start_ns);
}

/* What it was started with: words, each ended by a NUL. */
static void set_command(struct prof_crash *crash, uint32_t pid)
{
    char path[64], words[4096];
    (void)snprintf(path, sizeof path, "/proc/%" PRIu32 "/cmdline", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return;
    size_t bytes = fread(words, 1, sizeof words - 1, file);
    (void)fclose(file);
    uint32_t count = 0;
    for (size_t i = 0; i < bytes; i++) {
        count += words[i] == '\0';
        if (words[i] == '\0' && i + 1 < bytes)
            words[i] = ' ';
    }
    words[bytes] = '\0';
    crash->argument_count = count > 0 ? count - 1 : 0;
    prof_profile_origin(crash->profile)->command_line =
        prof_profile_string(crash->profile, words);
}

static void set_signal(struct prof_crash *crash, const struct wire_crash *slot)
{
    crash->kind = PROF_CRASH_CAUGHT;
    crash->signal = slot->signal;
    crash->code = slot->code;
    crash->error = slot->error;
    crash->is_fault = slot->code > 0 && slot->signal != SIGABRT;
    crash->address = slot->address;
    crash->sender = slot->sender;
    crash->reason = (int)slot->reason;
    prof_crash_name_registers(crash, slot);
}

/* ---- by what the target had mapped ---- */

static const char *text_of(const struct prof_target *target, uint32_t string)
{
    return prof_profile_text(target->common->profile, string);
}

static uint32_t add_process(
    struct prof_crash *crash, const struct prof_target *target)
{
    struct prof_profile *profile = crash->profile;
    struct prof_process process =
        *prof_profile_process(target->common->profile, target->process);
    process.name = prof_profile_string(profile, text_of(target, process.name));
    process.path = prof_profile_string(profile, text_of(target, process.path));
    return prof_profile_add_process(profile, &process);
}

/* A frame of the crash's profile for what stood there at the time. */
static uint32_t add_frame(
    struct prof_crash *crash, const struct prof_target *target, uint64_t pc,
    uint64_t when_ns)
{
    struct prof_profile *profile = crash->profile;
    const struct prof_space_mapping *at =
        prof_address_space_find(&target->space, pc, when_ns);
    if (at == NULL) {
        struct prof_module nowhere = {
            .kind = PROF_MODULE_ANONYMOUS,
            .path = prof_profile_string(profile, "[unknown]")};
        return prof_profile_add_native_frame(
            profile, prof_profile_add_module(profile, &nowhere), pc);
    }
    struct prof_module module =
        *prof_profile_module(target->common->profile, at->module);
    module.path = prof_profile_string(profile, text_of(target, module.path));
    struct prof_mapping mapping = {
        .process = crash->process,
        .module = prof_profile_add_module(profile, &module),
        .start = at->start,
        .end = at->end,
        .offset = at->offset,
        .from_ns = at->from_ns,
        .to_ns = at->to_ns};
    bool is_known = false;
    for (uint32_t i = 0; i < prof_profile_mapping_count(profile); i++)
        is_known |= prof_profile_mapping(profile, i)->start == at->start;
    if (!is_known)
        (void)prof_profile_add_mapping(profile, &mapping);
    return prof_profile_add_native_frame(
        profile, mapping.module,
        module.kind == PROF_MODULE_ANONYMOUS ? pc
                                             : pc - at->start + at->offset);
}

/* The one thread that is known, with the frames it wrote down itself. */
static void add_own_stack(
    struct prof_crash *crash, const struct prof_target *target,
    const struct wire_crash *slot, uint32_t tid)
{
    struct prof_profile *profile = crash->profile;
    struct prof_sample sample = {
        .time_ns = slot->time_ns,
        .stack = PROF_NONE,
        .state = PROF_STATE_ON_CPU,
        .flags = slot->is_complete ? 0 : PROF_SAMPLE_TRUNCATED};
    uint32_t value = prof_profile_add_value_type(profile, "threads", "count");
    if (crash->process == PROF_NONE)
        crash->process = add_process(crash, target);
    struct prof_thread thread = {
        .process = crash->process,
        .tid = tid,
        .name = prof_process_files_thread_name(profile, target->pid, tid)};
    sample.thread = prof_profile_add_thread(profile, &thread);
    for (uint32_t i = slot->frame_count; i-- > 0;) {
        uint32_t frame = add_frame(
            crash, target, prof_pc_of_word(slot->frames[i]), slot->time_ns);
        sample.stack = prof_profile_add_stack(profile, sample.stack, frame);
    }
    if (value != PROF_NONE)
        sample.values[value] = 1;
    (void)prof_profile_add_sample(profile, &sample);
    crash->thread = sample.thread;
}

/*
 * What was last where the thread stands, for a call into code that was
 * unloaded; false: nothing that is known.
 */
static bool find_gone(
    const struct prof_target *target, uint64_t pc,
    struct prof_snapshot_gone *gone)
{
    uint64_t to_ns = 0;
    for (uint32_t i = 0; i < target->space.mappings.count; i++) {
        const struct prof_space_mapping *at =
            table_row(&target->space.mappings, i);
        if (pc - at->start >= at->end - at->start || at->to_ns <= to_ns)
            continue;
        to_ns = at->to_ns;
        gone->start = at->start;
        gone->end = at->end;
        gone->offset = at->offset;
        gone->module =
            *prof_profile_module(target->common->profile, at->module);
        gone->path = text_of(target, gone->module.path);
    }
    return to_ns > 0;
}

static void find_thread(struct prof_crash *crash, uint32_t tid)
{
    for (uint32_t i = 0; i < prof_profile_thread_count(crash->profile); i++) {
        if (prof_profile_thread(crash->profile, i)->tid == tid)
            crash->thread = i;
    }
}

struct prof_crash *prof_crash_build_late(
    struct prof_target *target, const struct wire_crash *slot)
{
    struct prof_crash *crash = prof_crash_create();
    struct wire_crash *copy = slot != NULL ? copy_slot(slot) : NULL;
    if (crash != NULL) {
        set_times(crash, target);
        crash->process = add_process(crash, target);
        if (copy != NULL) {
            set_signal(crash, copy);
            add_own_stack(
                crash, target, copy, outer_tid(target, copy, target->pid));
        }
    }
    free(copy);
    return crash;
}

/* ---- while it waits ---- */

static void take_stacks(
    struct prof_crash *crash, struct prof_target *target,
    const struct wire_crash *slot, uint32_t pid)
{
    struct prof_regs regs;
    struct prof_snapshot_gone gone = {.path = NULL};
    prof_crash_unwind_registers(&regs, slot);
    bool is_gone = find_gone(target, regs.value[PROF_REG_PC], &gone);
    const struct prof_sight_known known = {
        .tid = outer_tid(target, slot, pid),
        .regs = &regs,
        .is_jump = prof_crash_is_astray(slot),
        .words = slot->frames,
        .word_count = slot->frame_count,
        .is_complete = slot->is_complete != 0};
    struct prof_snapshot snapshot = {
        .profile = crash->profile,
        .pid = pid,
        .known = &known,
        .gone = is_gone ? &gone : NULL};
    struct diag diag = {.status = STATUS_OK};
    if (prof_snapshot_take(&snapshot, &diag) != STATUS_OK)
        prof_profile_add_note(crash->profile, diag.text);
    if (prof_profile_process_count(crash->profile) > 0)
        crash->process = 0;
    find_thread(crash, known.tid);
}

struct prof_crash *prof_crash_build(
    struct prof_target *target, const struct wire_crash *slot, uint32_t pid)
{
    struct prof_crash *crash = prof_crash_create();
    struct wire_crash *copy = copy_slot(slot);
    if (crash != NULL && copy != NULL) {
        set_times(crash, target);
        set_command(crash, pid);
        set_signal(crash, copy);
        prof_crash_read_words(crash, pid, target->ring.ring.crashes, copy);
        take_stacks(crash, target, copy, pid);
        if (crash->thread == PROF_NONE ||
            prof_crash_stack(crash, crash->thread) == NULL)
            add_own_stack(crash, target, copy, outer_tid(target, copy, pid));
        crash->is_in_handler =
            atomic_exchange_explicit(
                &target->ring.ring.crashes->is_left_in_handler, 0,
                memory_order_relaxed) != 0;
    }
    free(copy);
    return crash;
}
