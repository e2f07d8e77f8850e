/*
 * The rows of a profile's tables. Ids are indexes into them, from 0; how the
 * tables hang together stands in profile.h.
 */
#ifndef PROFILER_MODEL_ROWS_H
#define PROFILER_MODEL_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#define PROF_NONE           UINT32_MAX
#define PROF_BUILD_ID_BYTES 20
#define PROF_VALUE_TYPES    4 /* at most; values live in fixed columns */

enum prof_module_kind {
    PROF_MODULE_FILE,      /* an ELF file; `path` as the target saw it */
    PROF_MODULE_VDSO,      /* the kernel's vDSO; offsets into its image */
    PROF_MODULE_KERNEL,    /* offsets are kernel addresses */
    PROF_MODULE_ANONYMOUS, /* memory without a file (JIT code): offsets are
                              runtime addresses; `path` names the process */
};

struct prof_module {
    enum prof_module_kind kind;
    uint32_t path; /* string */
    uint8_t build_id_bytes;
    uint8_t build_id[PROF_BUILD_ID_BYTES];
};

/* Where a module stood in a process, and when. Executable parts only. */
struct prof_mapping {
    uint32_t process;
    uint32_t module;
    uint64_t start, end; /* runtime addresses, half open */
    uint64_t offset;     /* file offset of `start` */
    uint64_t from_ns, to_ns;
};

/* One program image: a pid begins another process when it execs. */
struct prof_process {
    uint32_t pid, parent_pid;
    uint32_t name; /* string: the kernel's comm */
    uint32_t path; /* string: the executable */
    uint64_t start_ns, end_ns;
    uint64_t cpu_ns; /* the kernel's own figure, user + system; 0 unknown */
};

struct prof_thread {
    uint32_t process;
    uint32_t tid;
    uint32_t name; /* string */
};

enum prof_frame_kind {
    PROF_FRAME_NATIVE,  /* an address in a module */
    PROF_FRAME_NAMED,   /* a named frame of a runtime, or of folded text */
    PROF_FRAME_ACCOUNT, /* time without a stack: [startup], [off-cpu]... */
};

struct prof_frame {
    enum prof_frame_kind kind;
    uint32_t module; /* NATIVE */
    uint32_t name;   /* the others: string */
    uint64_t offset; /* NATIVE: file offset of the pc inside the call, that is
                        return address - 1 for callers */
    uint32_t first_line, line_count; /* set by prof_profile_set_lines() */
};

/* One source-level frame of a native one; inlined ones come first. */
struct prof_line {
    uint32_t function; /* string; never empty */
    uint32_t file;     /* string; "" unknown */
    uint32_t line;     /* 0 unknown */
    uint32_t column;   /* 0 unknown */
    bool is_inlined;   /* into the next line of the same frame */
};

struct prof_stack {
    uint32_t parent; /* towards the root; PROF_NONE at the root */
    uint32_t frame;
    uint32_t depth; /* frames from here to the root, this one included */
};

/* What a thread did at the time of a sample. */
#define PROF_STATE_LIST(X)                                                     \
    X(UNKNOWN, "unknown")                                                      \
    X(ON_CPU, "running")                                                       \
    X(OFF_CPU, "off CPU") /* and no more is known */                           \
    X(RUNNABLE, "waiting for a CPU")                                           \
    X(SLEEPING, "sleeping")                                                    \
    X(UNINTERRUPTIBLE, "uninterruptible") /* as a rule it waits for a disk */  \
    X(STOPPED, "stopped")                 /* by a signal or a debugger */

enum prof_state {
#define PROF_STATE_ENUM(name, text) PROF_STATE_##name,
    PROF_STATE_LIST(PROF_STATE_ENUM)
#undef PROF_STATE_ENUM
        PROF_STATE_COUNT
};

#define PROF_SAMPLE_TRUNCATED 1u /* the outermost part is missing */

struct prof_sample {
    uint64_t time_ns; /* CLOCK_MONOTONIC */
    uint32_t thread;
    uint32_t stack;                    /* the leaf; PROF_NONE: an empty stack */
    uint8_t state;                     /* enum prof_state */
    uint8_t flags;                     /* PROF_SAMPLE_... */
    uint32_t count;                    /* of samples in this row; 0 is 1 */
    uint64_t values[PROF_VALUE_TYPES]; /* one per value type, rest 0 */
};

/*
 * What the whole tree used, by the kernel's account, some times a minute. Not
 * in every profile.
 */
struct prof_reading {
    uint64_t time_ns;
    uint64_t span_ns; /* since the reading before, for `cpu_ns` */
    uint64_t cpu_ns;  /* used in that time */
    uint64_t resident_bytes;
    uint32_t process_count, thread_count;
};

struct prof_value_type {
    uint32_t name; /* string: "cpu", "wall", "samples" */
    uint32_t unit; /* string: "nanoseconds", "count", "bytes" */
};

/* Why something that was there to be seen is not in the profile. */
#define PROF_LOSS_LIST(X)                                                      \
    X(RING_FULL, "ring full")                                                  \
    X(CONTENDED, "ring contended")                                             \
    X(BUSY, "too many threads in the handler at once")                         \
    X(WRITER_DIED, "thread died while writing")                                \
    X(CUT, "stack deeper than the limit")                                      \
    X(INCOMPLETE, "stack ends before the thread's first frame")                \
    X(GUESSED, "frame found by frame pointer")                                 \
    X(UNMAPPED, "address in no known module")                                  \
    X(NO_SYMBOL, "address without a symbol")                                   \
    X(MALFORMED, "record that breaks the protocol")                            \
    X(NOT_SAMPLED, "process that could not be sampled")

enum prof_loss {
#define PROF_LOSS_ENUM(name, text) PROF_LOSS_##name,
    PROF_LOSS_LIST(PROF_LOSS_ENUM)
#undef PROF_LOSS_ENUM
        PROF_LOSS_COUNT
};

/*
 * A sentence for a person: what happened while the profile was made, above all
 * what was lost and why.
 */
struct prof_note {
    uint32_t text; /* string */
};

/* How and where the profile was made. Strings are ids; all optional. */
struct prof_origin {
    uint32_t command_line; /* arguments joined by spaces */
    uint32_t hostname;
    uint32_t os_release; /* "6.1.0-13-amd64" */
    uint32_t architecture;
    uint32_t clock;         /* what drove the sampling, for a person */
    uint64_t period_ns;     /* of the sampling clock */
    uint64_t start_unix_ns; /* CLOCK_REALTIME at the start */
    uint64_t start_ns, end_ns;
    uint64_t cpu_ns; /* the kernel's figure for the whole recording */
    uint32_t cpu_count;

    /* The address of some symbol of the kernel's, by which one can tell whether
       it is still where it was; 0 unknown. */
    uint64_t kernel_symbol_vaddr;
};

#endif
