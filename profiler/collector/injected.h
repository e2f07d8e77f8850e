/*
 * A guest in a process that began without us (profiler/agent/guest.h): brought
 * in, told of threads and modules that come and go, and taken out again. What
 * is said between the two stands in profiler/wire/guest.h.
 */
#ifndef PROFILER_COLLECTOR_INJECTED_H
#define PROFILER_COLLECTOR_INJECTED_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/wire/header.h"
#include "profiler/wire/message.h"

struct prof_injected;

struct prof_injected_whom {
    uint32_t pid;
    const uint32_t *tids; /* those of its threads that are sampled */
    uint32_t count;       /* of them; 0: all */
    uint64_t patience_ns; /* to wait for a safe moment */
};

/*
 * Bring a guest into a process; its thread waits for an answer.
 *
 *   segment    out: a descriptor of its ring, the caller's
 *   inner_pid  out: the process as it sees itself
 *   errors     as prof_inject(); UNSUPPORTED: the guest's own reason
 */
MUST_CHECK enum status prof_injected_open(
    struct prof_injected **injected, const struct prof_injected_whom *whom,
    int *segment, uint32_t *inner_pid, struct diag *diag);

/*
 * Let it begin to sample. `header` is that of its ring, which must stay mapped
 * until prof_injected_close().
 *
 *   errors  UNSUPPORTED: it did not begin, with its reason
 */
MUST_CHECK enum status prof_injected_begin(
    struct prof_injected *injected, struct wire_header *header,
    const struct wire_reply *reply, struct diag *diag);

/*
 * Between drains: look for what it must know. `generation` is of what is known
 * to be mapped: a sample from code that was not has changed it. False: it is
 * gone, with an exec or the end of the process, or because it has not seen us
 * live for too long.
 */
bool prof_injected_tend(
    struct prof_injected *injected, uint64_t generation, uint64_t now_ns);

/*
 * Whether the guest's thread has the user and the groups that the process has.
 * A process that gives up its privileges does not take them from a thread that
 * its libc does not know of. Looks ten times a second at most.
 */
bool prof_injected_has_its_user(
    struct prof_injected *injected, uint64_t now_ns);

/* The guest's thread, as we see it. */
uint32_t prof_injected_tid(const struct prof_injected *injected);

/* Of its ticks: SIGURG or SIGWINCH (profiler/agent/guest_signal.h). */
int prof_injected_signal(const struct prof_injected *injected);

/* For how long a thread of the process was held. */
uint64_t prof_injected_held_ns(const struct prof_injected *injected);

/*
 * End sampling, and take everything out of the process that we brought in; what
 * it has sampled is in the ring. NULL is accepted.
 *
 *   errors  LIMIT: some of it had to stay, which the sentence says
 */
enum status prof_injected_close(
    struct prof_injected *injected, struct diag *diag);

#endif
