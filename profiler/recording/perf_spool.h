/*
 * The annex's samples on their way into a recording: its sections stand at the
 * end of the file, but memory must not grow with the samples. So rows that are
 * more than a chunk go to a file without a name in the recording's folder,
 * from which they are copied at the end. A crash leaves nothing of it behind.
 * Where no such file can be made, they stay in memory.
 */
#ifndef PROFILER_RECORDING_PERF_SPOOL_H
#define PROFILER_RECORDING_PERF_SPOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/model/profile.h"
#include "profiler/recording/bytes.h"

struct prof_perf_spool {
    int fd;                    /* -1: not needed yet, or not to be had */
    bool is_refused;           /* not to be had */
    uint64_t rows;             /* in all */
    uint64_t written;          /* bytes in the file */
    struct prof_buffer recent; /* rows behind them */
    uint64_t previous_ns;
};

void prof_perf_spool_init(struct prof_perf_spool *spool);
void prof_perf_spool_fini(struct prof_perf_spool *spool);

/* Add a sample; out of memory shows in spool->recent.is_failed. */
void prof_perf_spool_put(
    struct prof_perf_spool *spool, const struct prof_profile *profile,
    const struct prof_sample *sample);

/*
 * Move what is more than a chunk out of memory, into a file beside the one
 * that `beside` has open.
 *
 *   fails  SYSTEM (a full disk); nothing is forgotten
 */
MUST_CHECK enum status prof_perf_spool_drain(
    struct prof_perf_spool *spool, int beside, struct diag *diag);

uint64_t prof_perf_spool_bytes(const struct prof_perf_spool *spool);

/*
 * Copy all rows to `fd` at `offset`.
 *
 *   sum  CRC-32 of what precedes them, then of that and the rows
 */
MUST_CHECK enum status prof_perf_spool_copy(
    const struct prof_perf_spool *spool, int fd, uint64_t offset, uint32_t *sum,
    struct diag *diag);

#endif
