/*
 * What the agent saw of a crash, in pages of the segment.
 *
 * Only where the reply to HELLO says so (WIRE_CATCH_CRASHES) the agent handles
 * the signals that end a program. What it saw stands in struct wire_crashes:
 *
 *     fatal     of a signal that is about to end the process
 *     handled   of the latest that a handler of the program's was given, ten
 *               a second at most; it may well go on after that
 *
 *     FREE     -> WRITING   agent, compare and swap
 *     WRITING  -> WRITTEN   agent, releasing the rest of the slot
 *     WRITTEN  -> TAKEN     collector
 *     TAKEN    -> DONE      collector, when it has seen all it wants to see
 *     any      -> FREE      agent, of a `handled` slot only
 *
 * Where it may, the agent tells of a fatal one by WIRE_CRASHED and waits for
 * the answer; else for DONE; for WIRE_CRASH_WAIT_NS at most, and then the
 * signal takes its course. These pages are there in a child of a fork as well,
 * until it has a segment of its own, and in one of vfork: `pid` tells whose
 * crash it is.
 */
#ifndef PROFILER_WIRE_CRASH_H
#define PROFILER_WIRE_CRASH_H

#include <stdatomic.h>
#include <stdint.h>

#include "profiler/wire/record.h"

enum wire_crash_state {
    WIRE_CRASH_FREE,
    WIRE_CRASH_WRITING,
    WIRE_CRASH_WRITTEN,
    WIRE_CRASH_TAKEN,
    WIRE_CRASH_DONE,
};

/* uc_mcontext.gregs of the processor; see crash_registers_x86_64.c. */
#define WIRE_CRASH_REGISTERS 24u

#define WIRE_CRASH_WAIT_NS   UINT64_C(2000000000)

struct wire_crash {
    _Atomic uint32_t state;
    uint32_t pid, tid; /* as they see themselves */
    int32_t signal, code, error;
    uint32_t frame_count;
    uint32_t is_complete;    /* the thread's first frame is among them */
    uint64_t address;        /* si_addr of a fault */
    uint32_t sender, reason; /* si_pid of what was sent; si_syscall of SIGSYS */
    uint64_t time_ns;        /* CLOCK_MONOTONIC */
    uint64_t thread_pointer;
    uint64_t registers[WIRE_CRASH_REGISTERS];
    uint64_t frames[WIRE_FRAMES_MAX]; /* as in struct wire_sample */
};

struct wire_crashes {
    /*
     * Where the program keeps what a crash should be told with; 0: nowhere.
     * glibc's pointer to the message of abort(), and, from a thread's pointer
     * on, what libstdc++ knows of the exceptions in flight.
     */
    uint64_t abort_message_pc;
    int64_t exceptions_offset;
    uint32_t reserved;

    /* Handled signals in all, and whether the process exits in a handler. */
    _Atomic uint32_t handled_count;
    _Atomic uint32_t is_left_in_handler;

    _Alignas(64) struct wire_crash fatal;
    _Alignas(64) struct wire_crash handled;
};

#endif
