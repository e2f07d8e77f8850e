/*
 * What a session knows of its reports, for the files that make them:
 * reporting.h, of samples chunk_batches.h, and of transactions tracing.h.
 */
#ifndef TOOLS_REPORTING_MODEL_H
#define TOOLS_REPORTING_MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "exporters/sentry/id.h"
#include "exporters/sentry/keeper.h"
#include "exporters/sentry/sender.h"
#include "exporters/sentry/session.h"
#include "exporters/sentry/spool.h"
#include "exporters/sentry/timeline.h"
#include "exporters/sentry/traces.h"
#include "profiler/collector/perf_clock.h"
#include "profiler/collector/readings.h"
#include "tools/sentry_settings.h"

/* Samples on their way into the spool; see chunk_batches.h. */
struct chunk_batches {
    char chunk_id[EXP_ID_BYTES];  /* of the next batch, or the one in work */
    struct exp_timeline timeline; /* as far as samples are in the spool */
    uint64_t spooled;             /* the number of the first that is not */
    uint64_t until;               /* the end of the batch in work */
    uint64_t until_ns;            /* when it was begun */
    uint64_t due_ns;              /* when the next begins; 0: not known yet */
    pid_t writer;                 /* 0: none at present */
};

/* Transactions; see tracing.h. */
struct tracing {
    struct exp_traces *traces; /* NULL: nothing is reported */
    struct exp_keeper *keeper;
    bool is_process_drawn; /* the whole run is one of the sampled ones */
    bool is_exit_known;
    int exit_code;      /* of the program, or 128 and its signal */
    bool is_by_trace;   /* profiles are reported only while one is open */
    bool is_open;       /* now, or not all of it is in the spool yet */
    uint64_t active_ns; /* when one was last seen open; CLOCK_MONOTONIC */
    bool is_flushing;   /* the last batch of it was begun */
    uint64_t begun;     /* transactions, when it was looked at last */
    uint64_t lost;      /* of `traces`, as far as it was counted */
};

#define REPORTING_RELEASE_BYTES 64

struct reporting {
    struct sentry_settings settings;
    struct exp_spool *spool;
    struct exp_sender *sender;
    bool is_profiling;                    /* this process was drawn */
    enum prof_wish wish;                  /* as it was told */
    const struct prof_readings *readings; /* the session's; NULL: none yet */
    struct tracing tracing;

    char profiler_id[EXP_ID_BYTES]; /* one for the whole session */
    struct chunk_batches batches;

    struct exp_session health;
    char release[REPORTING_RELEASE_BYTES];
    bool is_begun; /* the backend was told of the session */
    bool is_ended; /* and that it is over */
};

#endif
