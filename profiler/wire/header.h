/*
 * The first page of the segment: what agent and collector tell each other in
 * single words.
 *
 * REST
 *
 * Where samples are wanted only while a transaction is active, `rest` says
 * whether they are wanted just now:
 *
 *     AWAKE    -> AT_REST   collector: none is active. Its events are disabled,
 *                           and each CPU-clock timer rests from its next tick
 *     AT_REST  -> ROUSED    agent, compare and swap: one starts. It wakes the
 *                           timers of its process, and tells of it by
 *                           WIRE_ROUSED_BY_SPAN, which nobody answers
 *     any      -> AWAKE     collector, in every process, when one was roused
 *
 * The start is in the ring before `rest` is looked at, and the ring is drained
 * once more after AT_REST: one of the two sees the other. Where no message can
 * be sent, the collector finds ROUSED when it comes by.
 *
 * CHANGE
 *
 * Events on threads cost at each switch. Where that is too much, the collector
 * goes over to CPU-clock timers: it sets `is_on_timers`, after which a thread
 * that begins has a timer of its own, and opens on each thread there is an
 * event that expires once, when next it runs, with WIRE_CHANGE_COOKIE; the
 * thread makes its timer then, unless it has one. The events before are closed.
 *
 * PRESENCE
 *
 * The collector shows in `seen_ns` that it is there. When it is gone, perf
 * events have ended with it; a CPU-clock timer is disarmed by its own thread in
 * the first tick after `is_stopped`, or when the collector has not been seen
 * for some seconds.
 */
#ifndef PROFILER_WIRE_HEADER_H
#define PROFILER_WIRE_HEADER_H

#include <stdatomic.h>
#include <stdint.h>

#include "profiler/wire/ring.h"

/* Whether samples are wanted just now; see REST. */
enum wire_rest { WIRE_AWAKE, WIRE_ROUSED, WIRE_AT_REST };

/*
 * A handler that took more cycles than this was away from the processor, as a
 * rule: it was preempted, or its page was on a disk. That costs the program
 * nothing, and such handlers are counted apart.
 */
#define WIRE_HANDLED_CYCLES_MAX (UINT64_C(1) << 20)

struct wire_header {
    uint32_t magic, version; /* before HELLO, then constant */
    uint32_t pid;            /* as the target sees itself */
    uint32_t reserved;

    /* CPU time of the process when it began to exit, and when; 0: not yet. */
    _Atomic uint64_t exit_cpu_ns, exit_time_ns;

    /* Collector to agent: nonzero ends sampling. */
    _Atomic uint32_t is_stopped;

    _Atomic uint32_t rest; /* enum wire_rest; both */

    _Atomic uint32_t slot_count; /* entries of wire_slots.modules */
    /*
     * Collector to agent: of so many ticks of CPU-clock timers one is taken,
     * by chance; 0 and 1 take every one. It stands for the expiries of those
     * that were passed over since the one before, which are counted here.
     */
    _Atomic uint32_t tick_stride;
    _Atomic uint32_t passed_over;

    /*
     * Both: the process has put up a seccomp filter, and may be killed for a
     * system call that is not its own. The collector has seen it from outside.
     */
    _Atomic uint32_t is_filtered;

    /* Collector to agent: what threads that begin need is a timer; CHANGE. */
    _Atomic uint32_t is_on_timers;

    /*
     * Agent to collector, before an exec, when no message can be sent: 1 asks
     * to disarm the events, which `is_paused` confirms; 0 to arm them again.
     */
    _Atomic uint32_t pause_wanted;
    _Atomic uint32_t is_paused;

    /* Collector to a guest's thread: WIRE_ORDER_... */
    _Atomic uint32_t guest_orders;

    /* Guest: threads without a timer, as they block its signal just now. */
    _Atomic uint32_t guest_deferred;

    /*
     * Children that could not reach the collector, and threads that got no
     * timer; who makes them counts.
     */
    _Atomic uint32_t unsampled; /* transactions; record.h */
    _Atomic uint32_t lost_children;
    _Atomic uint32_t lost_timers;

    /*
     * Collector to agent: when it was here last, at least ten times a second;
     * CLOCK_MONOTONIC. One that is long gone is waited for by nobody, and the
     * program's timers rest: `is_given_up`, and for whoever reads it later
     * `was_given_up`. `is_unheard` is set by who waited in vain. That holds
     * until the collector is here again.
     */
    _Atomic uint64_t seen_ns;
    _Atomic uint32_t is_unheard;
    _Atomic uint32_t is_given_up, was_given_up;

    _Alignas(64) _Atomic uint64_t head;
    _Alignas(64) _Atomic uint64_t tail;
    _Alignas(64) _Atomic uint64_t loss[WIRE_LOSS_COUNT];

    /* What the handler has cost: signals, those of them that took long, and
       the processor's cycles in the others. */
    _Alignas(64) _Atomic uint64_t handled_count;
    _Atomic uint64_t handled_long_count;
    _Atomic uint64_t handled_cycles;
};

#endif
