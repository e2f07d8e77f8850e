/*
 * The registers in a sample of perf_event_open(2), as the walker knows them.
 */
#ifndef PROFILER_ATTACH_PERF_REGS_H
#define PROFILER_ATTACH_PERF_REGS_H

#include <stdint.h>

#include "profiler/unwind/sig_regs.h"

/* For attr.sample_regs_user: every general register, the pc among them. */
extern const uint64_t prof_perf_regs_mask;

/* How many words the kernel writes for that mask. */
extern const unsigned prof_perf_regs_count;

/* From those words, which stand in the order of the mask's bits. */
void prof_perf_regs_read(const uint64_t *words, struct prof_regs *regs);

#endif
