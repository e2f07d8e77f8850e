/*
 * The agent's core: the guest in the target process. Freestanding: raw system
 * calls, no libc, no thread-local storage, no loader, no relocation but its
 * own. The preload shell around it (shell_*.c) supplies what only libc knows.
 *
 * There is one core per process and its state is one object, because a signal
 * handler has no argument of its own. Unless marked SIGNAL_SAFE, functions run
 * in normal context, one thread at a time.
 *
 * No failure here reaches the program: the core stays idle and the collector
 * is told why, once.
 */
#ifndef PROFILER_AGENT_CORE_H
#define PROFILER_AGENT_CORE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "profiler/agent/sig_ring.h"
#include "profiler/unwind/sig_row_store.h"
#include "profiler/unwind/sig_walk.h"

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
 * Join the session: install the handlers, make the ring, say HELLO, and arm
 * the clocks of all threads.
 *
 *   returns  false when the process is not sampled; `text` has the reason, or
 *            "" when the collector did not answer
 */
bool prof_core_start(
    const struct prof_core_config *config, char *text, uint32_t text_bytes);

/*
 * Give back what prof_core_start() has mapped. No handler may be inside, nor
 * come in.
 */
void prof_core_unmap(void);

/* Where crashes are wanted: publish the places, here and in children. */
void prof_core_set_places(const struct prof_crash_places *places);

/* Tell the collector why this process cannot be sampled. */
void prof_core_report_failure(const char *session, const char *reason);

/* In a fork's child: forget the parent's ring and start anew. */
void prof_core_restart_in_child(void);

/*
 * Around exec: false when another process's memory is borrowed (vfork) or
 * nothing is active, and nothing needs to be done. `is_masked`: our signals
 * will be blocked, so one that is under way would wait for the new program.
 */
bool prof_core_before_exec(bool is_masked);
void prof_core_after_failed_exec(void);

/*
 * Whether sampling is on, this is the process it is on for, and system calls
 * are safe. A vfork child runs in its parent's memory and gets false.
 */
bool prof_core_is_ours(void);

/*
 * The program has installed a seccomp filter, which may kill it for a system
 * call that is not its own: from now on the core makes none.
 */
void prof_core_fall_silent(bool is_getpid_safe);
bool prof_core_is_silent(void);

/*
 * Whether a collector listens that may be told something, also by a vfork child
 * of this process; and tell it what `text` is for WIRE_UNSEEN.
 */
bool prof_core_is_asked(void);
bool prof_core_tell_unseen(const char *text);

/*
 * A new program is about to be started: whether there is no collector that it
 * could say HELLO to, so that it would wait in vain. It is counted as lost.
 */
bool prof_core_loses_child(void);

/* The process begins to exit: note its CPU time. */
void prof_core_note_exit(void);

/*
 * Say BYE and wait until the outputs are written, at most 2 s (PID 1: as long
 * as it takes). Returns false and the reason in `text` when they could not be.
 */
bool prof_core_wait_for_outputs(char *text, uint32_t text_bytes);

/*
 * CPU time of the calling thread, ns; and at its end, tell that and what it
 * had used before the program's function began. System calls.
 */
uint64_t prof_core_thread_cpu_ns(void);
void prof_core_note_thread_end(uint64_t before_ns, uint64_t begin_ns);

/* Publish code that may soon be unmapped, or that is gone; see wire.h. */
void prof_core_publish(const struct wire_module *module);

#endif
