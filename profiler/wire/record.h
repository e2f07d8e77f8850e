/*
 * What the agent writes into the ring: samples, modules that come and go, ends
 * of threads, and what a program says of its own transactions (profiler/agent/
 * watchfire.h; only where WIRE_TAKE_SPANS asks for it). Of a transaction there
 * is a record for each start, tag and end. The collector puts them together;
 * one that was lost is missing from its transaction, or the transaction is.
 * Those that are not sampled are only counted (header.h, `unsampled`).
 */
#ifndef PROFILER_WIRE_RECORD_H
#define PROFILER_WIRE_RECORD_H

#include <stdint.h>

#define WIRE_FRAMES_MAX   1024u /* of one sample; deeper stacks are cut */
#define WIRE_RECORD_BYTES (8u * WIRE_FRAMES_MAX + 128u)

enum wire_record_type {
    WIRE_SAMPLE = 1,
    WIRE_MODULE = 2,   /* struct wire_module: code that may soon be unmapped */
    WIRE_UNMAPPED = 3, /* struct wire_module without a path: it is gone */
    WIRE_ENDED = 4,    /* struct wire_ended: a thread ends */
    WIRE_SPAN = 5,     /* struct wire_span */
};

struct wire_record {
    uint16_t type;
    uint16_t flags;
    uint32_t tid;     /* as the target sees it */
    uint64_t time_ns; /* CLOCK_MONOTONIC */
};

/* What made the sample, and what is known of it. */
#define WIRE_SAMPLE_TICK             1u /* a CPU-clock timer, else a perf event */
#define WIRE_SAMPLE_FROM_KERNEL      2u  /* after a system call, or a fault */
#define WIRE_SAMPLE_CUT              4u  /* deeper than WIRE_FRAMES_MAX */
#define WIRE_SAMPLE_INCOMPLETE       8u  /* the first frame was not reached */
#define WIRE_SAMPLE_CHANGED          16u /* a timer that came for an event */

/* Beside them in wire_record.flags: the perf event's generation. */
#define WIRE_SAMPLE_GENERATION_SHIFT 8

struct wire_sample {
    struct wire_record record;
    uint32_t expiries; /* of the timer that this sample stands for */
    uint32_t frame_count;
    uint64_t frames[]; /* innermost first, bits of sig_walk.h */
};

/* What a thread has used cannot be read any more once it is gone. */
struct wire_ended {
    struct wire_record record;
    uint64_t cpu_ns;    /* in all */
    uint64_t before_ns; /* of it, before the program's function began */
    uint64_t begin_ns;  /* when that was; CLOCK_MONOTONIC */
};

enum wire_span_kind {
    WIRE_SPAN_ROOT,    /* a transaction starts: its name, its op */
    WIRE_SPAN_START,   /* a span does: its description, its op */
    WIRE_SPAN_END,     /* either ends, with its status */
    WIRE_SPAN_TAG,     /* of a transaction: key, value */
    WIRE_SPAN_BAGGAGE, /* that a transaction goes on with, and nothing */
};

#define WIRE_SPAN_TEXT_BYTES    200u /* of a name and the like; cut beyond */
#define WIRE_SPAN_BAGGAGE_BYTES 510u

/* What the program says of its own work; the kind is in record.flags. */
struct wire_span {
    struct wire_record record;
    uint64_t trace[2], id, parent, root;
    uint32_t status; /* enum wf_status of watchfire.h */
    uint16_t first_bytes, second_bytes;
    char texts[]; /* both, without an end */
};

#define WIRE_BUILD_ID_BYTES 20u
#define WIRE_PATH_BYTES     1024u

struct wire_module {
    struct wire_record record;
    uint64_t start, end, offset; /* of one executable segment */
    uint32_t build_id_bytes;
    uint8_t build_id[WIRE_BUILD_ID_BYTES];
    char path[WIRE_PATH_BYTES]; /* ended by a NUL; only what is used is sent */
};

_Static_assert(sizeof(struct wire_record) == 16, "no padding");
_Static_assert(sizeof(struct wire_sample) == 24, "no padding");
_Static_assert(sizeof(struct wire_span) == 64, "no padding");
_Static_assert(WIRE_RECORD_BYTES >= sizeof(struct wire_module), "fits");

#endif
