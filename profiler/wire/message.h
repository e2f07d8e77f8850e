/*
 * Messages from agent to collector, and what is replied.
 *
 * SOCK_SEQPACKET in the abstract name space, one request and one reply per
 * connection, closed afterwards: the target keeps no descriptor. The session
 * (WATCHFIRE_SESSION=NAME.SECRET, hexadecimal) gives the name, which everyone
 * can see, and the secret, which proves that the sender belongs to the tree.
 *
 * What comes before `text` in a message, and before `actions` in a reply, is
 * where it is in every version, and so is HELLO's number: who speaks another
 * version is told so, and reads no more of the answer than that.
 */
#ifndef PROFILER_WIRE_MESSAGE_H
#define PROFILER_WIRE_MESSAGE_H

#include <stdint.h>

enum wire_message_type {
    WIRE_HELLO = 1,       /* with the segment's descriptor */
    WIRE_EXEC = 2,        /* about to exec: disarm, then answer */
    WIRE_EXEC_FAILED = 3, /* the process goes on: arm again */
    WIRE_BYE = 4,         /* exiting: answered when outputs are written */
    WIRE_FAILED = 5,      /* cannot be sampled; `text` says why */

    /*
     * A process becomes a program that cannot be given the agent. `text` is
     * "OBSTACLE PID PATH": the number of enum obstacle, a child of the sender
     * or 0 for the sender itself, and the program. An exec that fails after
     * all is told by WIRE_EXEC_FAILED.
     */
    WIRE_UNSEEN = 6,

    WIRE_CRASHED = 7, /* a fatal crash is written; answered when it is seen */
    WIRE_ROUSED_BY_SPAN = 8, /* `rest` is ROUSED; not answered */
};

#define WIRE_SECRET_BYTES 32u /* of text, hexadecimal */

struct wire_message {
    uint32_t magic, version;
    uint32_t type;
    uint32_t pid; /* as the target sees itself */
    char secret[WIRE_SECRET_BYTES];
    char text[128]; /* ended by a NUL */
};

/* What the agent is to do; the reply to HELLO. */
#define WIRE_ARM_TIMERS       1u  /* CPU-clock timers for every thread */
#define WIRE_DISARM_FOR_EXEC  2u  /* ask before every exec */
#define WIRE_ARM_BRIEF        8u  /* a timer for a new thread's first tick */
#define WIRE_WAIT_AT_EXIT     4u  /* say BYE and wait for outputs */
#define WIRE_REFERENCE_ENGINE 16u /* unwind with libunwind */
#define WIRE_CATCH_CRASHES    32u /* handle the signals that end a program */
#define WIRE_TAKE_SPANS       64u /* write down what watchfire.h is told */

struct wire_reply {
    uint32_t magic, version;
    uint32_t actions; /* WIRE_ARM_TIMERS ... */
    uint32_t status;  /* 0, or nonzero: `text` says what failed */
    uint64_t period_ns;
    char text[256];
};

#endif
