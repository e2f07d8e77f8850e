/* The records a recording of ours consists of, as perf reads them. */
#ifndef PROFILER_RECORDING_PERF_RECORD_H
#define PROFILER_RECORDING_PERF_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/recording/bytes.h"
#include "profiler/recording/perf_format.h"

/* What every sample carries, in the kernel's order. */
#define PERF_OWN_SAMPLE_TYPE                                                   \
    (PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME |                     \
     PERF_SAMPLE_CALLCHAIN | PERF_SAMPLE_PERIOD)

/*
 * Time 0 means "before everything": perf applies such a record when it meets
 * it, and sorts all others by time first.
 */
struct perf_stamp {
    uint32_t pid, tid;
    uint64_t time_ns;
};

void prof_perf_put_comm(
    struct prof_buffer *bytes, struct perf_stamp stamp, const char *name,
    bool is_exec);

void prof_perf_put_fork(
    struct prof_buffer *bytes, struct perf_stamp stamp, uint32_t parent_pid);

struct perf_mmap {
    uint64_t start, bytes, offset;
    const char *path;
    const uint8_t *build_id;
    uint8_t build_id_bytes; /* 0: not known */
};

void prof_perf_put_mmap(
    struct prof_buffer *bytes, struct perf_stamp stamp,
    const struct perf_mmap *mmap);

/* The kernel's own code: perf then finds its symbols in /proc/kallsyms. */
void prof_perf_put_kernel_mmap(struct prof_buffer *bytes);

/* Give `span` bytes at `address` a name. */
void prof_perf_put_ksymbol(
    struct prof_buffer *bytes, uint64_t address, uint32_t span,
    const char *name);

struct perf_sample {
    struct perf_stamp stamp;
    uint64_t period;
    uint64_t ip;
    bool is_kernel;        /* `ip` */
    const uint64_t *chain; /* leaf first, with context markers */
    uint32_t chain_count;  /* at most PERF_CHAIN_MAX */
};

void prof_perf_put_sample(
    struct prof_buffer *bytes, const struct perf_sample *sample);

#endif
