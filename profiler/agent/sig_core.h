/*
 * The core's state: one object per process, because a signal handler has no
 * argument of its own. And what a handler asks first: whether anything may be
 * done at all, in which thread it is, and when.
 */
#ifndef PROFILER_AGENT_SIG_CORE_H
#define PROFILER_AGENT_SIG_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/agent/sig_ring.h"
#include "profiler/unwind/sig_row_store.h"
#include "profiler/unwind/sig_walk.h"
#include "profiler/wire/message.h"
#include "profiler/wire/record.h"
#include "profiler/wire/segment.h"

/*
 * A thread's alternate stack as the program set it, while the kernel has one
 * of ours in its place; size 0: none, though the kernel may have ours.
 */
struct prof_alternate {
    uint64_t start, size_bytes;
    uint64_t ours; /* where that one starts; 0: the kernel has none of ours */
    uint64_t own_low, own_high; /* about where the thread's own stack is */
};

/* What the program itself knows of a crash: see struct wire_crashes. */
struct prof_crash_places {
    uint64_t abort_message_pc;
    int64_t exceptions_offset;
};

/* What the core cannot find out by itself. */
struct prof_core_config {
    const char *session;              /* NAME.SECRET; must stay valid */
    const struct prof_engine *engine; /* NULL: there was no memory for it */
    const struct prof_engine *(*load_reference)(const char **reason);
    unsigned (*mask_beliefs)(void); /* bits 1 << signal of our signals that
                                       the calling thread thinks it blocked */
    /* Of CPU-clock timers: SIGPROF, beside SIGTRAP of perf events, or another,
       and that one alone. */
    int tick_signal;
    /* Instead of a message; NULL: there is a socket. As prof_link_hello(). */
    bool (*say_hello)(int fd, struct wire_reply *reply);
    /* The calling thread's; NULL: the kernel has none of ours. */
    struct prof_alternate (*alternate)(void);
    /* The calling thread's place for a timer that comes for its perf event: 0:
       none, else its id and 1. NULL: no events are opened here. */
    _Atomic int *(*own_timer)(void);
    uint32_t tid_offset; /* bytes from the thread pointer to the thread's
                            kernel id; 0: ask the kernel each time */
    struct prof_crash_places places;
};

/* Frames are collected here before their number is known. */
#define PROF_SCRATCH_COUNT 32
struct prof_scratch {
    _Atomic uint32_t is_taken;
    uint64_t frames[WIRE_FRAMES_MAX];
};

struct prof_core {
    _Atomic uint32_t is_active; /* the handler records samples */
    _Atomic uint32_t is_silent; /* no system call is to be made any more */
    bool is_getpid_safe;        /* but this one, when silent */
    bool is_crash_silent;       /* the same for what a crash is told with */
    uint32_t pid;               /* whose ring this is; tells fork children */
    uint32_t collector;         /* its pid; 0: not to be seen from here */
    bool is_heard;              /* the collector answered to the last HELLO */
    bool is_deserted;           /* it did not, though it could be asked */
    struct prof_core_config config;
    struct wire_ring ring;
    uint32_t actions; /* WIRE_ARM_TIMERS ..., from the collector */
    uint64_t period_ns;
    const struct prof_engine *engine;                 /* the one in use */
    long (*clock_gettime)(int clock, void *timespec); /* the vDSO's */
    struct prof_scratch *scratch;                     /* PROF_SCRATCH_COUNT */
    struct prof_row_store tables; /* of rows, made by the collector */
};

/* Hidden, so that it is reached without a relocation. */
__attribute__((visibility("hidden"))) extern struct prof_core prof_core;

/*
 * The program has installed a seccomp filter, which may kill it for a system
 * call that is not its own: from now on the core makes none.
 */
SIGNAL_SAFE void prof_core_fall_silent(bool is_getpid_safe);
SIGNAL_SAFE bool prof_core_is_silent(void);

/*
 * Whether sampling is on, this is the process it is on for, and system calls
 * are safe; it makes one. A vfork child runs in its parent's memory and gets
 * false.
 */
SIGNAL_SAFE bool prof_core_is_ours(void);

/* CLOCK_MONOTONIC, from the vDSO; ns. */
SIGNAL_SAFE uint64_t prof_core_now_ns(void);

/* The calling thread's id; a system call where tid_offset is 0. */
SIGNAL_SAFE uint32_t prof_core_tid(void);

#endif
