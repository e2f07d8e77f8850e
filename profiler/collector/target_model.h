/*
 * What is known of one program image being sampled, for the files that make it
 * out: target.h, which is its life, and those it calls.
 */
#ifndef PROFILER_COLLECTOR_TARGET_MODEL_H
#define PROFILER_COLLECTOR_TARGET_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/collector/account.h"
#include "profiler/collector/address_space.h"
#include "profiler/collector/chosen.h"
#include "profiler/collector/clock_change.h"
#include "profiler/collector/frame_cache.h"
#include "profiler/collector/inner_tids.h"
#include "profiler/collector/limits.h"
#include "profiler/collector/offspring.h"
#include "profiler/collector/oom.h"
#include "profiler/collector/perf_clock.h"
#include "profiler/collector/ring_reader.h"
#include "profiler/collector/slots.h"
#include "profiler/collector/standing.h"
#include "profiler/collector/switching.h"
#include "profiler/collector/thread_looks.h"
#include "profiler/model/profile.h"
#include "profiler/model/span.h"

/* What agents could not do, of all targets. */
struct prof_lost {
    uint64_t children; /* that could not reach the collector */
    uint64_t timers;   /* threads that got none */
    uint32_t given_up; /* processes that had to take us for dead */
};

/* What all targets of one collector share. */
struct prof_target_common {
    struct prof_profile *profile;
    struct prof_build_ids build_ids;
    struct prof_tables *tables;      /* NULL: there are none */
    uint64_t period_ns;              /* asked for */
    uint64_t governed_ns;            /* what the cost allows; 0: that */
    enum prof_clock_mode best_mode;  /* to try; asked for by the user */
    enum prof_clock_mode worst_mode; /* that any target got */
    struct diag refusal;             /* why it is worse; STATUS_OK: it is not */
    struct diag traced; /* which was not sampled; STATUS_OK: none */
    struct prof_lost lost;
    uint64_t sample_count;
    uint32_t value_cpu, value_samples; /* columns */
    bool is_wall;                      /* event wall: look at sleepers too */
    uint32_t value_wall;               /* column */
    struct prof_looks_common looks;    /* of is_wall */
    struct prof_span_options spans;
    enum prof_wish wish;
    bool is_at_rest;    /* no samples are wanted just now */
    uint64_t rested_ns; /* CPU time that passed so, of closed targets */
};

/* What a target's handlers did: see wire/header.h. */
struct prof_handled {
    uint64_t count, long_count; /* all; those that took long */
    uint64_t cycles;            /* of the others */
};

/* Of one target. */
struct prof_target_clock {
    uint64_t nominal_ns; /* the period in force, without its jitter */
    uint64_t armed_given_ns, armed_clock_ns; /* of the account, when armed */
    uint32_t doubts;        /* how often it was armed anew in doubt */
    uint64_t cost_clock_ns; /* at the last telling */
    struct prof_handled cost_handled;
};

/* Threads without a timer; see unarmed.h. */
struct prof_unarmed {
    struct table threads; /* struct prof_unarmed_thread */
};

struct prof_target {
    struct prof_target_common *common;
    uint32_t pid;       /* as the collector sees it */
    uint32_t inner_pid; /* as it sees itself, in its pid name space */
    uint32_t process;   /* in the profile */
    int pidfd;          /* readable when the process is dead */
    bool is_replaced;   /* it has exec'ed: /proc tells of another image */
    bool is_execing;    /* it is about to */
    uint64_t until_ns;  /* its CPU time when it became a stray, or the recording
                           ended; 0: neither */
    struct prof_chosen chosen; /* its threads that are sampled */
    enum prof_clock_mode mode;
    struct prof_ring_reader ring;
    struct prof_limits limits;
    struct prof_perf_clock clock;
    struct prof_switching switching;
    struct prof_clock_change change;
    uint64_t tick_period_ns; /* of the agent's own timers */
    uint64_t rests_from_ns;  /* its CPU time when sampling began to rest */
    struct prof_target_clock timing;
    struct prof_account account;
    struct prof_address_space space;
    struct prof_slots slots;
    struct prof_looks *looks; /* NULL but for event wall */
    struct prof_standing standing;
    bool is_crash_told;  /* that it crashed, before it was dead */
    struct prof_oom oom; /* of its control group; where crashes are wanted */
    struct prof_injected *injected; /* NULL: it has our library */
    uint32_t guest_tid;             /* of that: not a thread of the program */
    uint64_t guest_ns;              /* its CPU time, last read */
    struct prof_unarmed unarmed;    /* and what that does not sample */
    uint64_t next_unarmed_ns;
    struct prof_offspring offspring;
    struct index threads_by_tid; /* into account.threads */
    struct prof_inner_tids tids; /* where the name space is its own */
    struct prof_frame_cache frames;
    struct table batch;          /* struct prof_pending */
    struct table records;        /* of one drain: a size, the bytes, ... */
    bool is_scanned;             /* the maps were read in this drain */
    uint64_t next_scan_ns;       /* after a reading that explained nothing */
    uint64_t changing_until_ns;  /* look soon: its modules come and go, and
                                    nobody tells */
    uint64_t clock_ns, count_ns; /* CPU time and perf's count, last read
                                    together */
    uint64_t malformed;
    uint64_t late_ns; /* weights of samples after the exit began */
    struct prof_target *next;
};

#endif
