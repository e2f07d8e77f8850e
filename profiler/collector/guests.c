/* Agents that we have brought in ourselves: their beginning, and while they are
 * there. Their end is that of any target. */
#include <inttypes.h>
#include <unistd.h>

#include "profiler/attach/inject.h"
#include "profiler/base/clock.h"
#include "profiler/collector/collector_model.h"
#include "profiler/collector/injected.h"
#include "profiler/collector/target_cpu.h"
#include "profiler/collector/unarmed.h"

/* How often it is asked what threads without a timer have used. */
#define UNARMED_NS UINT64_C(1000000000)

/* Those of chosen threads only are not told apart from the others'. */
static void look_for_children(
    struct prof_collector *collector, struct prof_target *target)
{
    if (target->chosen.count == 0)
        prof_offspring_look(
            &target->offspring, target->pid, clock_now_ns(CLOCK_MONOTONIC),
            &collector->strays);
}

/*
 * For a child: it is tried again, and everybody else waits meanwhile. So tries
 * that fail are one in so many parts of our time. Those that do not have an
 * end, and a server's workers are to be sampled soon.
 */
#define CHILD_PATIENCE_NS UINT64_C(80000000)
#define CHILD_SHARE       4

/* As requests.c answers a HELLO. */
static enum status take_in(
    struct prof_collector *collector, const struct prof_injected_whom *whom,
    bool is_child, struct diag *diag)
{
    struct prof_injected *injected = NULL;
    uint32_t pid = whom->pid, inner_pid;
    int segment;
    enum status status =
        prof_injected_open(&injected, whom, &segment, &inner_pid, diag);
    if (status != STATUS_OK)
        return status;
    struct prof_target *target = prof_target_open(
        &collector->common, pid, inner_pid, segment, NULL, diag);
    (void)close(segment);
    if (target == NULL) {
        (void)prof_injected_close(injected, NULL);
        return STATUS_UNSUPPORTED;
    }
    struct wire_reply reply = prof_collector_reply(collector);
    target->injected = injected;
    target->guest_tid = prof_injected_tid(injected);
    prof_target_choose(target, whom->tids, whom->count);
    uint64_t before_ns = prof_strays_drop(&collector->strays, pid);
    if (is_child)
        prof_target_begin_at(target, before_ns);
    else
        prof_target_begin_now(target);
    prof_target_begin_looks(target, !is_child || before_ns > 0);
    prof_offspring_init(&target->offspring, is_child && before_ns == 0);
    prof_collector_add(collector, target);
    look_for_children(collector, target);
    status =
        prof_injected_begin(injected, target->ring.ring.header, &reply, diag);
    uint64_t held_ns = prof_injected_held_ns(injected);
    if (held_ns > collector->stats.held_ns)
        collector->stats.held_ns = held_ns;
    if (status != STATUS_OK)
        prof_collector_remove(collector, prof_collector_find(collector, pid));
    return status;
}

enum status prof_collector_inject(
    struct prof_collector *collector, uint32_t pid, const uint32_t *tids,
    uint32_t count, struct diag *diag)
{
    const struct prof_injected_whom whom = {
        .pid = pid,
        .tids = tids,
        .count = count,
        .patience_ns = PROF_INJECT_PATIENCE_NS};
    return take_in(collector, &whom, false, diag);
}

/* One at a time, if it is time. */
static void take_child_in(
    struct prof_collector *collector, struct prof_offspring *offspring)
{
    uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
    uint32_t pid = prof_offspring_due(offspring, now_ns);
    if (pid == 0 || now_ns < collector->next_child_ns)
        return;
    const struct prof_injected_whom whom = {
        .pid = pid, .patience_ns = CHILD_PATIENCE_NS};
    bool has_guest = *prof_collector_find(collector, pid) != NULL ||
                     take_in(collector, &whom, true, NULL) == STATUS_OK;
    uint64_t after_ns = clock_now_ns(CLOCK_MONOTONIC);
    prof_offspring_note(offspring, pid, has_guest, after_ns);
    collector->next_child_ns =
        after_ns + (after_ns - now_ns) * (has_guest ? 1 : CHILD_SHARE);
}

/* False: its part of the recording is over. */
static bool tend_guest(
    struct prof_collector *collector, struct prof_target *target,
    uint64_t now_ns)
{
    if (prof_chosen_are_over(&target->chosen, target->pid))
        return false;
    if (!prof_injected_tend(
            target->injected, target->space.generation, now_ns)) {
        target->is_replaced = true;
        return false;
    }
    if (!prof_injected_has_its_user(target->injected, now_ns)) {
        struct diag note;
        (void)fail(
            &note, STATUS_NOT_PERMITTED,
            "process %" PRIu32 " changed its user or group, so the agent left "
            "it: its thread would have kept what the process gave up",
            target->pid);
        prof_collector_note(collector, &note);
        return false;
    }
    look_for_children(collector, target);
    bool has_unarmed = atomic_load_explicit(
                           &target->ring.ring.header->guest_deferred,
                           memory_order_relaxed) > 0;
    if (target->next_unarmed_ns == 0 ||
        (has_unarmed && now_ns >= target->next_unarmed_ns)) {
        prof_unarmed_look(&target->unarmed, target);
        target->next_unarmed_ns = now_ns + UNARMED_NS;
    }
    return true;
}

/* It may live on, as another program: if a target has it as its child. */
static void lose_guest(
    struct prof_collector *collector, struct prof_target **gone,
    uint64_t now_ns)
{
    uint32_t pid = (*gone)->pid;
    prof_collector_remove(collector, gone);
    for (struct prof_target *at = collector->targets; at; at = at->next)
        prof_offspring_lose(&at->offspring, pid, now_ns, &collector->strays);
}

void prof_collector_tend_guests(struct prof_collector *collector)
{
    uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
    struct prof_target **at = &collector->targets;
    while (*at != NULL) {
        if ((*at)->injected != NULL && !tend_guest(collector, *at, now_ns))
            lose_guest(collector, at, now_ns);
        else
            at = &(*at)->next;
    }
    for (struct prof_target *parent = collector->targets; parent;
         parent = parent->next)
        take_child_in(collector, &parent->offspring);
}
