/*
 * The container of perf.data: header, events, sections. What is in the
 * sections is the business of others.
 */
#ifndef PROFILER_RECORDING_PERF_FILE_H
#define PROFILER_RECORDING_PERF_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/recording/perf_attr.h"
#include "profiler/recording/perf_format.h"

struct prof_perf_file {
    int fd;           /* borrowed */
    const char *name; /* borrowed; for sentences */
    uint64_t bytes;
    bool is_pipe; /* records follow the first 16 bytes, and nothing else */
    struct perf_file_header header; /* unless it is a pipe's */
};

/*
 * Read the header of a seekable descriptor.
 *
 *   fails  UNSUPPORTED: another byte order, or an older format; MALFORMED,
 *          SYSTEM
 */
MUST_CHECK enum status prof_perf_file_open(
    struct prof_perf_file *file, int fd, const char *name, struct diag *diag);

/*
 * A copy of a section, NULL when it is empty; the caller frees it.
 *
 *   fails  MALFORMED: it reaches past the end; SYSTEM, NO_MEMORY
 */
MUST_CHECK enum status prof_perf_file_read_section(
    const struct prof_perf_file *file, struct perf_section section, void **data,
    struct diag *diag);

/* Read all events and their ids. Fails as above, and with LIMIT. */
MUST_CHECK enum status prof_perf_file_read_attrs(
    const struct prof_perf_file *file, struct prof_perf_attrs *attrs,
    struct diag *diag);

/* Whether the header promises a section for this feature. */
bool prof_perf_file_has(const struct prof_perf_file *file, uint32_t feature);

/*
 * Where the sections of features are; 0 bytes for one that is not there.
 *
 *   fails  MALFORMED: the file ends before; SYSTEM
 */
MUST_CHECK enum status prof_perf_file_read_features(
    const struct prof_perf_file *file,
    struct perf_section sections[PERF_FEATURE_BITS], struct diag *diag);

/*
 * Where the records end, and whether that is before they should. perf counts
 * them when it is done: a recording that was killed says 0, and goes on to the
 * end of the file.
 */
uint64_t prof_perf_file_data_end(
    const struct prof_perf_file *file, bool *is_cut);

#endif
