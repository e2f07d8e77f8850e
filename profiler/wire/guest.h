/*
 * The words between the collector and a guest.
 *
 * A core that was mapped into a running process (profiler/agent/guest.h) has no
 * socket: who could map it can also read and write its memory. struct
 * wire_guest lies there, and `state` says whose turn it is:
 *
 *     NEW       -> HELLO      guest: the segment is `fd` of its thread `tid`
 *     HELLO     -> ANSWERED   collector: `reply` is written
 *     ANSWERED  -> SAMPLING   guest
 *     any       -> FAILED     guest: `reply.text` says why; on to OUT
 *     any       -> OUT        guest: nothing refers to the image any more
 *     OUT       -> LEAVING    guest: nobody came to unmap it, it does so itself
 *     any       -> LEAVING    guest: `stuck` threads may be inside; it waits
 *                             for them, however long, and unmaps itself
 *
 * In between the guest's thread sleeps on `guest_orders` in the segment, a
 * futex whose bits the collector sets. A guest that finds `seen_ns` unchanged
 * for WIRE_PULSE_NS ends as if it had been told to.
 */
#ifndef PROFILER_WIRE_GUEST_H
#define PROFILER_WIRE_GUEST_H

#include <stdatomic.h>
#include <stdint.h>

#include "profiler/wire/message.h"

enum wire_guest_state {
    WIRE_GUEST_NEW,
    WIRE_GUEST_HELLO,
    WIRE_GUEST_ANSWERED,
    WIRE_GUEST_SAMPLING,
    WIRE_GUEST_FAILED,
    WIRE_GUEST_OUT,
    WIRE_GUEST_LEAVING,
};

/* Bits of guest_orders. */
#define WIRE_ORDER_ANSWERED    1u /* state is */
#define WIRE_ORDER_THREADS     2u /* threads came or went */
#define WIRE_ORDER_SCAN        4u /* modules did */
#define WIRE_ORDER_END         8u

#define WIRE_PULSE_NS          UINT64_C(5000000000)

#define WIRE_GUEST_THREADS_MAX 256u

struct wire_guest {
    uint32_t magic, version;
    uint64_t begin, end;   /* of what was mapped for the guest */
    uint32_t host;         /* the thread that was borrowed, as it sees itself */
    uint32_t chosen_count; /* 0: all threads are sampled, else these */
    uint32_t chosen[WIRE_GUEST_THREADS_MAX]; /* as the target sees them */
    _Atomic uint32_t state;
    uint32_t pid, tid; /* of the guest's thread, as the target sees itself */
    int32_t fd;        /* of the segment, in that thread */
    int32_t signal;    /* of its ticks */
    uint32_t stuck;    /* threads that may still be inside, at the end */
    struct wire_reply reply;
};

#endif
