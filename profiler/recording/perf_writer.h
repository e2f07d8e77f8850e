/*
 * A recording on disk: a perf.data file that grows with a profile.
 *
 * Stock `perf script`, `perf report` and hotspot open it; what perf cannot
 * hold rides along in a feature section they skip (perf_annex.h).
 *
 * The file is readable after every sync, whatever happens next: records are
 * appended first, and only then does one write at the head of the file make
 * them count. A process killed at any byte, or a full disk, leaves what the
 * last sync covered.
 *
 * Not signal-safe, one thread at a time.
 */
#ifndef PROFILER_RECORDING_PERF_WRITER_H
#define PROFILER_RECORDING_PERF_WRITER_H

#include "profiler/base/status.h"
#include "profiler/model/profile.h"

struct prof_recording;

/*
 * Create or truncate the file `path`, readable by its owner alone, as perf
 * does: a profile tells what a person runs.
 *
 *   recording  set on success; end with prof_recording_destroy()
 *   fails      SYSTEM, NO_MEMORY
 */
MUST_CHECK enum status prof_recording_create(
    const char *path, struct prof_recording **recording, struct diag *diag);

/*
 * The same in an open descriptor, which the recording then owns. It must be
 * seekable, and is written from offset 0.
 *
 *   fails  SYSTEM, NO_MEMORY; UNSUPPORTED for a pipe or terminal. The
 *          descriptor stays the caller's.
 */
MUST_CHECK enum status prof_recording_adopt_fd(
    int fd, struct prof_recording **recording, struct diag *diag);

/*
 * Append what the profile gained since the last sync: samples, and the
 * processes, threads and mappings they need. Always pass the same profile.
 * Between a sync that succeeded and what is added next, it may be summed.
 *
 * The period of a sample is its value of the profile's first type. Frames keep
 * return address - 1 for callers.
 *
 *   fails  SYSTEM (a full disk): the file holds what earlier syncs covered.
 *          Nothing is forgotten; the next sync tries again. NO_MEMORY stays.
 *          LIMIT, from then on: the profile was summed nevertheless.
 */
MUST_CHECK enum status prof_recording_sync(
    struct prof_recording *recording, const struct prof_profile *profile,
    struct diag *diag);

/*
 * Sync, then write the feature sections: host, command line, build-ids, and
 * the annex from which the profile is read back exactly. Call it once, when
 * the profile is complete and, if at all, symbolized.
 *
 *   fails  as prof_recording_sync(); the file then lacks the features
 */
MUST_CHECK enum status prof_recording_finish(
    struct prof_recording *recording, const struct prof_profile *profile,
    struct diag *diag);

/* Close the file, finished or not. NULL is fine. */
void prof_recording_destroy(struct prof_recording *recording);

#endif
