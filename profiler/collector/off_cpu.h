/*
 * The account of one thread's time off CPU, made from looks at it.
 *
 * Wall time is CPU time, time spent waiting for a CPU, and the rest: sleep. The
 * scheduler counts the first two, so how much a thread slept between two looks
 * is known exactly. Where it slept is known only while it sleeps:
 *
 *   asleep, and it has not run since   it slept all along where it does now
 *   asleep, after it ran n times       n + 1 sleeps: the end of the one that
 *                                      was seen before, others, this one
 *   running, after it ran n times      n sleeps: the end of the one that was
 *                                      seen before, others
 *
 * Of several sleeps each is taken to be as long as any other. The end of the
 * earlier one goes to the stack seen then; the rest to the stack seen now, or,
 * of a thread that is running now, to the next one seen. So a thread that
 * sleeps here and there in quick turns is sampled, with weights that add up;
 * what was never seen asleep is given without a stack when the account ends.
 *
 * All times come from the caller: no clock and no process is needed to test it.
 */
#ifndef PROFILER_COLLECTOR_OFF_CPU_H
#define PROFILER_COLLECTOR_OFF_CPU_H

#include <stdbool.h>
#include <stdint.h>

/* What was seen of a thread at one moment. */
struct prof_look {
    uint64_t time_ns; /* CLOCK_MONOTONIC */
    uint64_t cpu_ns;  /* its CPU time; up to a tick behind while it runs */
    uint64_t wait_ns; /* its time waiting for a CPU */
    uint64_t runs;    /* how often it was put on a CPU */
    bool is_asleep;   /* then the rest is set */
    uint8_t state;    /* enum prof_state */
    uint8_t flags;    /* the caller's, of the stack */
    uint32_t stack;   /* in the profile; PROF_NONE: not known */
};

/* Time to be given to a stack; PROF_NONE: where it was spent is not known. */
struct prof_off_time {
    uint64_t ns;
    uint32_t stack;
    uint8_t state, flags;
};

/* The most that one look can give: earlier sleep, present sleep, waiting. */
#define PROF_OFF_TIMES 3

struct prof_off_cpu {
    struct prof_look first, last;
    uint64_t slept_ns;  /* given so far, to whatever stack */
    uint64_t waited_ns; /* given so far */
};

/*
 * Begin with a first look. What `first` says was used up to its time does not
 * count; a thread asleep already has slept since then.
 */
void prof_off_cpu_begin(
    struct prof_off_cpu *account, const struct prof_look *first);

/* Whether the thread has slept since the last look, by what it has used. */
bool prof_off_cpu_is_quiet(
    const struct prof_off_cpu *account, const struct prof_look *look);

/*
 * Take a look into account. Looks that are not asleep carry time on.
 *
 *   times    out: what is to be given
 *   returns  how many there are
 */
unsigned prof_off_cpu_add(
    struct prof_off_cpu *account, const struct prof_look *look,
    struct prof_off_time times[static PROF_OFF_TIMES]);

/*
 * The thread has ended at `end_ns`, or nobody looks at it any more. Everything
 * not yet given is.
 *
 *   cpu_ns   its CPU time then, as far as is known
 *   wait_ns  its time waiting for a CPU then; 0: nobody can tell. One that was
 *            awake when last seen has waited and slept since as it did before
 */
unsigned prof_off_cpu_end(
    struct prof_off_cpu *account, uint64_t end_ns, uint64_t cpu_ns,
    uint64_t wait_ns, struct prof_off_time times[static PROF_OFF_TIMES]);

#endif
