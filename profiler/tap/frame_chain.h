/*
 * A chain of frame pointers, followed at the moment of a sample.
 *
 * Go's runtime runs parts of itself on other stacks than a goroutine's: what
 * was copied of the stack has the frames on the one, and the chain leads to the
 * other. Go keeps frame pointers in all its code, so the chain is believed
 * there; elsewhere it is not looked at.
 */
#ifndef PROFILER_TAP_FRAME_CHAIN_H
#define PROFILER_TAP_FRAME_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include <sys/types.h>

#include "profiler/collector/code.h"
#include "profiler/unwind/sig_regs.h"

/* kernel.perf_event_max_stack, unless somebody has raised it. */
#define PROF_FRAME_CHAIN_MOST 127

/* The pc and return addresses, the innermost first. */
struct prof_frame_chain {
    const uint64_t *words;
    uint64_t count;
};

/* The user's part of a chain as perf events have it. */
struct prof_frame_chain prof_frame_chain_of_user(
    const uint64_t *chain, uint64_t count);

/*
 * Follow the frame pointers of a thread that is held, as the kernel does.
 *
 *   words    out: at least PROF_FRAME_CHAIN_MOST
 *   returns  how many were written
 */
uint64_t prof_frame_chain_read(
    pid_t tid, const struct prof_regs *regs, uint64_t *words);

/*
 * Go on along the chain with a walk that ended in Go's code, but not where a
 * stack begins; its end changes where the chain has one.
 */
void prof_frame_chain_join(
    const struct prof_frame_chain *chain, struct prof_code *code,
    struct prof_reader *bytes, struct prof_walk *walk);

#endif
