/*
 * A record of the kernel's, taken apart: <linux/perf_event.h>, for the fields
 * that our events ask for and no others.
 */
#ifndef PROFILER_TAP_RECORD_H
#define PROFILER_TAP_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/perf_event.h>

#include "profiler/collector/maps.h"

/* What every record has: a sample first, another at its end (sample_id_all). */
#define PROF_TAP_FIELDS                                                        \
    (PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID |               \
     PERF_SAMPLE_TIME)
#define PROF_TAP_SAMPLE_TIME_AT 32 /* header, id, ip, ids of the thread */
#define PROF_TAP_TIME_FROM_END  16 /* time, id */
#define PROF_TAP_TRAILER_BYTES  24 /* ids of the thread, time, id */

/* Of a thread that is at its very end: the kernel has taken its number back. */
#define PROF_TAP_TID_GONE       UINT32_MAX

struct prof_tap_record {
    uint32_t type;
    uint32_t pid, tid; /* as we see them; the new thread's of a FORK */
    uint64_t time_ns;  /* CLOCK_MONOTONIC */

    /* SAMPLE */
    uint64_t event;  /* the id of the one that was opened; heirs have it */
    uint32_t origin; /* the thread that it was opened for; see events.h */
    const uint64_t *chain;
    uint64_t chain_count; /* addresses, with context markers */
    const uint64_t *regs; /* NULL: there is no user's stack */
    const uint8_t *stack; /* from the stack pointer on */
    uint64_t stack_bytes; /* that were copied */
    bool is_less;         /* than was asked for: no page was there */

    /* MMAP2 */
    uint64_t start, end, offset, device, inode;
    bool is_code;
    const char *name; /* COMM too */

    bool is_exec;                /* COMM */
    uint32_t parent_pid, parent; /* FORK: process and thread */
    uint64_t lost;               /* LOST */
};

/*
 *   record     out: points into `header`
 *   returns    false for types that tell us nothing, and for what is shorter
 *              than it says
 */
bool prof_tap_record_parse(
    const struct perf_event_header *header, struct prof_tap_record *record);

/* What an MMAP2 says, as /proc/PID/maps would; its path is the record's. */
struct prof_maps_line prof_tap_record_line(
    const struct prof_tap_record *record);

#endif
