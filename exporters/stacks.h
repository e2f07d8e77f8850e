/*
 * The stacks of a profile's samples, one after the other, whole: what a person
 * wants of a snapshot (`watchfire dump`), not of a recording.
 *
 * As text, threads with one and the same stack and state stand together, with
 * the names of a dozen. JSON,
 * stable within a version, has every sample, in the profile's order:
 *
 *   {"version": 1,
 *    "holds": {"count", "longest_ns": number},
 *    "processes": [{"pid": number, "name", "path": text,
 *                   "threads": [{"tid": number, "name", "state": text,
 *                                "is_complete": boolean,
 *                                "frames": [FRAME]}]}]}
 *
 *   FRAME = "function", "kind", "module", "file": text, "line", "column",
 *           "address": number, "is_inlined": boolean
 *
 * Innermost first. A frame that is inlined is followed by what it is inlined
 * into, at the same address: that of the instruction to run, or, for a caller,
 * a byte before the return address. A stack that is not complete lacks its
 * outermost frames, or all, where there are none. An unknown text is "", an
 * unknown number 0.
 */
#ifndef EXPORTERS_STACKS_H
#define EXPORTERS_STACKS_H

#include <stdint.h>

struct exp_writer;
struct prof_profile;

/* What seeing the stacks has cost those who were seen. */
struct exp_stacks_cost {
    uint32_t hold_count; /* threads that were stopped for it */
    uint64_t longest_hold_ns;
};

/* Failures stay in the writer. */
void exp_stacks_write_text(
    const struct prof_profile *profile, const struct exp_stacks_cost *cost,
    struct exp_writer *writer);
void exp_stacks_write_json(
    const struct prof_profile *profile, const struct exp_stacks_cost *cost,
    struct exp_writer *writer);

#endif
