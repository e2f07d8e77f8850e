/*
 * Our code in a process that runs: a thread of its own, which one of the
 * process's threads makes for us (remote.h), and memory that this one maps.
 * Neither the process's loader nor its libc take part.
 *
 * A thread is borrowed for some hundred microseconds (host.h), and all of it
 * is done by a process made for it (apart.h): a command that is killed at this
 * moment does not leave a thread of the program with registers that are not its
 * own.
 */
#ifndef PROFILER_ATTACH_INJECT_H
#define PROFILER_ATTACH_INJECT_H

#include <stdint.h>

#include "profiler/attach/identity.h"
#include "profiler/base/status.h"

/* Something of ours in a process. */
struct prof_injection {
    uint32_t pid;
    uint32_t host;                 /* the thread that was borrowed */
    uint32_t tid;                  /* the one that was made: the guest's */
    uint64_t begin, end;           /* of what was mapped */
    uint64_t block;                /* where the caller's block is in it */
    uint64_t held_ns;              /* for how long the thread was held */
    struct prof_identity identity; /* of the process, as it was looked at */
};

/* To wait for a safe moment, when somebody waits for us. */
#define PROF_INJECT_PATIENCE_NS UINT64_C(2000000000)

/* Bytes that the new thread gets the address of. */
struct prof_inject_block {
    void *bytes;
    uint32_t size;
    /* Before they are copied: what can only be known now. */
    void (*fill)(void *bytes, const struct prof_injection *injection);
};

/*
 * Map the guest's image into the process `pid` and start it.
 *
 *   patience_ns  for how long to wait for a safe moment
 *   errors   as prof_reach_check(); NOT_PERMITTED, UNSUPPORTED, LIMIT: why it
 *            may not be done to this process, or not now. Nothing is left
 */
MUST_CHECK enum status prof_inject(
    uint32_t pid, uint64_t patience_ns, const struct prof_inject_block *block,
    struct prof_injection *injection, struct diag *diag);

/*
 * Unmap it and end its thread `tid`, which waits for that: it is not the
 * program's, and nothing else refers to what was mapped.
 *
 *   word, value  it does so for as long as the word at that address has this
 *                value; then it goes away by itself, and is left to it
 */
MUST_CHECK enum status prof_inject_undo(
    const struct prof_injection *injection, uint32_t tid, uint64_t word,
    uint32_t value, struct diag *diag);

#endif
