/*
 * perf.data -> a profile: recordings of our own, and those of `perf record`
 * in file and in pipe mode.
 *
 * Our own finished recordings give back the very profile they were made of
 * (perf_annex.h). From others:
 *
 *  - Records are put in order of time before they count, so a frame belongs
 *    to the file that was mapped at the sample's time.
 *  - Callers are stored as return address - 1; the first address of each
 *    context (kernel, user) is a pc and stays.
 *  - Kernel frames stand in modules of kind PROF_MODULE_KERNEL.
 *  - One event becomes the value type: the first that counts something, with
 *    its twins on processors of several kinds. cpu-clock and task-clock give
 *    "cpu" in nanoseconds, others their own name and "count". Samples of other
 *    events are left out, and a remark says so.
 *  - Copied user stacks (--call-graph dwarf) are not unwound here: the sample
 *    keeps what chain it has and counts as PROF_LOSS_INCOMPLETE.
 *  - Events the kernel lost count as PROF_LOSS_RING_FULL.
 */
#ifndef PROFILER_RECORDING_PERF_READER_H
#define PROFILER_RECORDING_PERF_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "profiler/base/status.h"
#include "profiler/model/profile.h"

/* Whether the first bytes of a file are those of perf.data, any version. */
bool prof_perf_is_perf_data(const void *head, size_t bytes);

/*
 * Read the seekable descriptor `fd` from offset 0; it stays the caller's.
 * Result, failures and remarks as in reader.h; `name` is for sentences.
 */
MUST_CHECK enum status prof_perf_read(
    int fd, const char *name, struct prof_profile *profile, struct diag *diag);

#endif
