/*
 * The annex: a whole profile in a feature section (bit 250) of perf.data.
 *
 * perf skips features it does not know, and `perf inject`, which rewrites
 * files, drops them: an annex never disagrees with the records beside it. It
 * repeats the samples, in some ten bytes each, because perf's records lose
 * what makes a sample ours: its state, its further values, named frames, the
 * exact thread and image of the process.
 *
 * Layout. V is an unsigned LEB128 integer, Z one whose lowest bit is the sign
 * (zigzag). Ids are those of the model; "id+1" has 0 for PROF_NONE.
 *
 *     8 bytes  "wf-annex"
 *     V        version: 1. A reader refuses versions above its own.
 *     sections, each: V kind, V rows, V bytes, then so many bytes
 *     V        0: the end
 *     4 bytes  CRC-32 (zlib's) of all before, least significant byte first
 *
 * Sections come in ascending kind, but for the samples: those are written as
 * they come (perf_spool.h), and stand last. Unknown kinds are skipped. Rows:
 *
 *      1 string      V bytes, text. Row 0 is "".
 *      2 value type  V name, V unit
 *      3 module      V kind (0 file, 1 vdso, 2 kernel, 3 anonymous), V path,
 *                    V bytes, build-id
 *      4 process     V pid, V parent pid, V name, V path, V start ns, V end ns,
 *                    V cpu ns
 *      5 mapping     V process, V module, V start, V end, V offset, V from ns,
 *                    V to ns
 *      6 thread      V process, V tid, V name
 *      7 frame       V kind (0 native, 1 named, 2 account),
 *                    native: V module, V offset; others: V name,
 *                    V lines, and for each, innermost first:
 *                    V function, V file, V line, V column, V inlined (0, 1)
 *      8 stack       V parent id+1, V frame. Parents come before children.
 *      9 sample      Z time ns less that of the row before (0 for the first),
 *                    V thread, V stack id+1, V state (0 unknown, 1 on CPU,
 *                    2 off CPU, 3 waiting for a CPU, 4 sleeping,
 *                    5 uninterruptible, 6 stopped), V flags, V value for each
 *                    value type
 *     10 loss        V bytes, text (prof_loss_text() of the reason), V count.
 *                    Reasons a reader does not know are dropped.
 *     11 origin      one row: V command line, V hostname, V os release,
 *                    V architecture, V clock, V period ns, V start unix ns,
 *                    V start ns, V end ns, V cpu ns, V cpu count
 *     12 note        V text
 *     13 reading     V time ns, V span ns, V cpu ns, V resident bytes,
 *                    V processes, V threads
 *
 * Later versions may append columns to a section only under a new kind.
 */
#ifndef PROFILER_RECORDING_PERF_ANNEX_H
#define PROFILER_RECORDING_PERF_ANNEX_H

#include "profiler/model/profile.h"
#include "profiler/recording/bytes.h"

#define PERF_ANNEX_MAGIC   "wf-annex"
#define PERF_ANNEX_VERSION 1

enum perf_annex_kind {
    PERF_ANNEX_END,
    PERF_ANNEX_STRING,
    PERF_ANNEX_VALUE_TYPE,
    PERF_ANNEX_MODULE,
    PERF_ANNEX_PROCESS,
    PERF_ANNEX_MAPPING,
    PERF_ANNEX_THREAD,
    PERF_ANNEX_FRAME,
    PERF_ANNEX_STACK,
    PERF_ANNEX_SAMPLE,
    PERF_ANNEX_LOSS,
    PERF_ANNEX_ORIGIN,
    PERF_ANNEX_NOTE,
    PERF_ANNEX_READING,
};

/*
 * Append the profile up to its samples: `rows` of them, `row_bytes` in all,
 * must follow, and then the tail. Out of memory shows in bytes->is_failed.
 */
void prof_perf_annex_write(
    struct prof_buffer *bytes, const struct prof_profile *profile,
    uint64_t rows, uint64_t row_bytes);

/* Append one sample; `previous_ns` is the time of the one before, or 0. */
void prof_perf_annex_put_sample(
    struct prof_buffer *bytes, const struct prof_profile *profile,
    const struct prof_sample *sample, uint64_t previous_ns);

/* Append the end; `sum` is the CRC-32 of the annex before it. */
#define PERF_ANNEX_TAIL_BYTES 5
void prof_perf_annex_put_tail(struct prof_buffer *bytes, uint32_t sum);

/*
 * Read an annex into an empty profile.
 *
 *   fails  MALFORMED, NO_MEMORY; UNSUPPORTED: a later version. Nothing was
 *          added when the checksum or the version is wrong; else the profile
 *          may hold a part.
 */
MUST_CHECK enum status prof_perf_annex_read(
    const void *data, size_t bytes, struct prof_profile *profile,
    struct diag *diag);

#endif
