/*
 * What a record of the kernel's says.
 *
 * How it is laid out depends on the attributes of the event it belongs to;
 * <linux/perf_event.h> has the rules. Nothing here knows about processes.
 */
#ifndef PROFILER_RECORDING_PERF_EVENT_H
#define PROFILER_RECORDING_PERF_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/recording/perf_attr.h"

/* One record taken apart. Pointers point into the record. */
struct prof_perf_event {
    uint32_t type;
    uint32_t event; /* whose attributes apply */
    uint32_t pid, tid;
    uint64_t time_ns; /* 0: not known, or before everything */
    bool is_kernel;   /* the cpu was in the kernel, or the mapping is its */

    /* SAMPLE */
    uint64_t ip, period;
    const unsigned char *chain; /* unaligned u64, with context markers */
    uint64_t chain_count;
    bool has_user_stack; /* a copy of the stack, to be unwound by CFI */

    /* MMAP, MMAP2, KSYMBOL: an address range; COMM: name */
    uint64_t start, bytes, offset;
    const uint8_t *build_id;
    uint8_t build_id_bytes;
    bool is_data;     /* a mapping that is not executable */
    bool is_exec;     /* a COMM that comes from execve() */
    const char *name; /* not ended by NUL */
    size_t name_bytes;

    uint32_t parent_pid; /* FORK */
    uint64_t lost;       /* LOST, LOST_SAMPLES */
};

/*
 * Take the kernel's record apart. False when it is too short for what its
 * attributes promise. Types not named above only get their time.
 */
bool prof_perf_event_parse(
    const struct prof_perf_attrs *attrs, const void *record,
    struct prof_perf_event *event);

#endif
