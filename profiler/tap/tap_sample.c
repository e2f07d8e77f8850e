/* A sample taken from outside: from what the kernel copied to the profile. */
#include <stdlib.h>

#include "profiler/attach/perf_regs.h"
#include "profiler/tap/process.h"

/* After maps that explained nothing. */
#define FRUITLESS_READ_NS UINT64_C(1000000000)

enum { KERNEL_FRAMES_MAX = 256 };

/* The code as it is now; false when out of memory. */
static bool make_code(struct prof_tap_process *process)
{
    if (process->code == NULL) {
        process->code =
            prof_code_create(process->pid, &process->common->images);
        if (process->code == NULL)
            return false;
        prof_tap_process_map_code(process);
    }
    prof_code_publish(process->code);
    return true;
}

/*
 * Code that nobody told of: a record was lost. The maps are read anew, but not
 * over and over for an address that nothing explains.
 */
static void read_maps_again(struct prof_tap_process *process, uint64_t time_ns)
{
    if (time_ns < process->next_read_ns)
        return;
    process->next_read_ns = time_ns + FRUITLESS_READ_NS;
    prof_tap_process_read_maps(process);
    if (process->code != NULL)
        prof_code_publish(process->code);
}

static const struct prof_space_mapping *find_mapping(
    void *owner, uint64_t pc, uint64_t when_ns)
{
    struct prof_tap_process *process = owner;
    const struct prof_space_mapping *found =
        prof_address_space_find(&process->space, pc, when_ns);
    if (found != NULL)
        return found;
    read_maps_again(process, when_ns);
    return prof_address_space_find(&process->space, pc, when_ns);
}

uint32_t prof_tap_process_stack(
    struct prof_tap_process *process, const uint64_t *words, uint32_t count,
    uint64_t when_ns)
{
    const struct prof_frame_finder finder = {
        .space = &process->space, .find = find_mapping, .owner = process};
    return prof_frame_cache_stack(
        &process->frames, &finder, words, count, when_ns);
}

/* The kernel's part of the stack, called from `stack`. */
static uint32_t add_kernel_frames(
    struct prof_profile *profile, const struct prof_tap_moment *moment,
    uint32_t stack)
{
    uint64_t pcs[KERNEL_FRAMES_MAX];
    uint32_t count = 0;
    bool is_kernel = false, is_exact = true;
    for (uint64_t i = 0; i < moment->chain_count; i++) {
        uint64_t pc = moment->chain[i];
        if (pc >= (uint64_t)PERF_CONTEXT_MAX) {
            is_kernel = pc == (uint64_t)PERF_CONTEXT_KERNEL;
            is_exact = true;
            continue;
        }
        if (is_kernel && count < KERNEL_FRAMES_MAX)
            pcs[count++] = is_exact ? pc : pc - 1;
        is_exact = false;
    }
    if (count == 0)
        return stack;
    struct prof_module kernel = {
        .kind = PROF_MODULE_KERNEL,
        .path = prof_profile_string(profile, "[kernel.kallsyms]")};
    uint32_t module = prof_profile_add_module(profile, &kernel);
    while (count-- > 0)
        stack = prof_profile_add_stack(
            profile, stack,
            prof_profile_add_native_frame(profile, module, pcs[count]));
    return stack;
}

static void count_losses(
    struct prof_tap_common *common, const struct prof_walk *walk,
    enum prof_copied_end end)
{
    for (uint32_t i = 0; i < walk->count; i++) {
        if (walk->frames[i] & PROF_FRAME_GUESSED)
            prof_profile_add_loss(common->profile, PROF_LOSS_GUESSED, 1);
    }
    if (end == PROF_COPIED_INCOMPLETE)
        prof_profile_add_loss(common->profile, PROF_LOSS_INCOMPLETE, 1);
    if (end == PROF_COPIED_CUT)
        prof_profile_add_loss(common->profile, PROF_LOSS_CUT, 1);
}

/* Nobody tells of code that came: the walk may have ended for want of it. */
static bool learn_code(struct prof_tap_process *process, uint64_t time_ns)
{
    if (!process->common->is_untold || time_ns < process->next_read_ns)
        return false;
    read_maps_again(process, time_ns);
    return true;
}

static bool is_in_kernel(const struct prof_tap_moment *moment)
{
    return moment->chain_count > 0 &&
           moment->chain[0] == (uint64_t)PERF_CONTEXT_KERNEL;
}

/* The user's part of the stack; PROF_NONE when there is none. */
static uint32_t add_user_frames(
    struct prof_tap_process *process, struct prof_tap_thread *thread,
    const struct prof_tap_moment *moment, bool *is_truncated)
{
    static uint64_t frames[PROF_COPIED_FRAMES_MAX]; /* one thread calls us */
    struct prof_walk walk = {
        .frames = frames, .capacity = PROF_COPIED_FRAMES_MAX};
    struct prof_copied_stack stack = {
        .bytes = moment->stack,
        .size_bytes = moment->stack_bytes,
        .has_hole = moment->has_hole,
        .time_ns = moment->time_ns,
        .tid = thread->tid,
        .is_live = !process->common->is_behind,
        .chain = prof_frame_chain_of_user(moment->chain, moment->chain_count)};
    if (moment->regs == NULL || !make_code(process))
        return PROF_NONE;
    if (thread->known == NULL)
        thread->known = calloc(1, sizeof *thread->known);
    if (thread->known == NULL)
        return PROF_NONE;
    stack.regs = *moment->regs;
    /* In the middle of an exec the registers are still the old image's. */
    if (is_in_kernel(moment) &&
        !prof_code_holds(process->code, stack.regs.value[PROF_REG_PC]))
        return PROF_NONE;
    enum prof_copied_end end =
        prof_copied_stack_walk(&stack, process->code, thread->known, &walk);
    if (end == PROF_COPIED_INCOMPLETE && learn_code(process, moment->time_ns)) {
        walk = (struct prof_walk){
            .frames = frames, .capacity = PROF_COPIED_FRAMES_MAX};
        end =
            prof_copied_stack_walk(&stack, process->code, thread->known, &walk);
    }
    if (!process->common->has_go)
        process->common->has_go =
            prof_code_is_go(process->code, stack.regs.value[PROF_REG_PC]);
    count_losses(process->common, &walk, end);
    *is_truncated = end != PROF_COPIED_COMPLETE;
    return prof_tap_process_stack(
        process, walk.frames, walk.count, moment->time_ns);
}

void prof_tap_process_add(
    struct prof_tap_process *process, struct prof_tap_thread *thread,
    const struct prof_tap_moment *moment)
{
    struct prof_tap_common *common = process->common;
    bool is_truncated = false;
    uint32_t stack = add_user_frames(process, thread, moment, &is_truncated);
    struct prof_sample row = {
        .time_ns = moment->time_ns,
        .thread = thread->thread,
        .stack = add_kernel_frames(common->profile, moment, stack),
        .state = PROF_STATE_ON_CPU,
        .flags = is_truncated ? PROF_SAMPLE_TRUNCATED : 0};
    row.values[common->value_cpu] = moment->weight_ns;
    if (common->is_wall)
        row.values[common->value_wall] = moment->weight_ns;
    row.values[common->value_samples] = 1;
    (void)prof_profile_add_sample(common->profile, &row);
    process->given_ns += moment->weight_ns;
    thread->given_ns += moment->weight_ns;
    common->sample_count++;
}

void prof_tap_process_sample(
    struct prof_tap_process *process, const struct prof_tap_record *record)
{
    struct prof_tap_common *common = process->common;
    struct prof_tap_thread *thread =
        prof_tap_process_watched_thread(process, record->tid);
    if (thread == NULL)
        return;
    /* One that was made while its process was met may have two events: that
     * which it inherited, and that which was opened for it. One counts. */
    if (thread->origin == 0)
        thread->origin = record->origin;
    if (thread->origin != record->origin)
        return;
    struct prof_regs regs;
    struct prof_tap_moment moment = {
        .time_ns = record->time_ns,
        .weight_ns =
            common->is_steered
                ? prof_tap_steer_weigh(&process->steer, common->period_ns)
                : common->period_ns,
        .stack = record->stack,
        .stack_bytes = record->stack_bytes,
        .has_hole = record->is_less,
        .chain = record->chain,
        .chain_count = record->chain_count};
    if (record->regs != NULL) {
        prof_perf_regs_read(record->regs, &regs);
        moment.regs = &regs;
    }
    prof_tap_process_add(process, thread, &moment);
}
