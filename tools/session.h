/*
 * A profile in the making, as `record` and the collector of a preloaded
 * program share it: from the empty profile with its origin to the outputs and
 * the summary. Samples come from agents, by way of the collector, or from
 * outside, by way of a tap or of stops.
 */
#ifndef TOOLS_SESSION_H
#define TOOLS_SESSION_H

#include "profiler/collector/collector.h"
#include "profiler/collector/readings.h"
#include "profiler/tap/stops.h"
#include "profiler/tap/tap.h"
#include "symbolizer/symbolizer.h"
#include "tools/outputs.h"
#include "tools/reporting.h"

struct session {
    struct prof_profile *profile;
    struct prof_collector *collector; /* or NULL */
    struct prof_tap *tap;             /* or NULL */
    struct prof_stops *stops;         /* or NULL */
    struct outputs outputs;
    struct reporting *reporting; /* or NULL */
    uint64_t period_ns;
    uint32_t refused_count; /* processes that are not sampled, of those named */
    struct prof_readings readings;
    struct sym_symbolizer *symbolizer;
    uint32_t foreseen; /* modules that the symbolizer was told of */
    void (*remark)(const char *text); /* on names; NULL: nobody listens */
};

/* Make the profile and the collector; `options->period_ns` is the session's. */
MUST_CHECK enum status session_begin(
    struct session *session, const struct prof_collector_options *options,
    struct diag *diag);

/* The same, with a tap. */
MUST_CHECK enum status session_begin_tap(
    struct session *session, const struct prof_tap_options *options,
    struct diag *diag);

/* The same, with stops. */
MUST_CHECK enum status session_begin_stops(
    struct session *session, const struct prof_stops_options *options,
    struct diag *diag);

/* Begun in vain: back to where it was, with its outputs. */
void session_give_up(struct session *session);

/* What samples come from: its descriptor, and how long to wait for it. */
int session_fd(const struct session *session);
int session_wait_ms(const struct session *session);

/* The same, but not beyond `end_ns` of CLOCK_MONOTONIC; 0: no end. */
int session_wait_until_ms(const struct session *session, uint64_t end_ns);

/* Take what is there, and keep up with it as session_sync() does. */
void session_run(struct session *session);

/* End sampling. */
void session_stop(struct session *session);

/* "cpu" or "wall", which counts time asleep as well. */
bool session_parse_event(const char *text, bool *is_wall);

/* How the profile was made: the command, "" when not known yet. */
void session_describe(struct session *session, const char *command_line);

/*
 * Keep up with what was collected: recordings grow, and modules that appeared
 * get their indexes made, for the end to be quick.
 */
void session_sync(struct session *session);

/*
 * End sampling, symbolize and write the outputs.
 *
 *   kernel_ns  CPU time of the whole tree; 0: not known
 *   report     gets each output's failure
 *   returns    how many outputs failed
 */
size_t session_finish(
    struct session *session, uint64_t kernel_ns,
    void (*report)(void *context, const struct diag *diag), void *context);

/* The session is over, and finished: its reports are spooled. */
void session_report_end(
    struct session *session, enum exp_session_status status);

/* Such a report: it is said. */
void session_say(void *context, const struct diag *diag);

/*
 * Write what there is so far to the outputs, in a copy of the process: the
 * profile and the session are good for nothing else afterwards.
 */
void session_write_interim(struct session *session);

/* One line about what was recorded; never more than the buffer. */
void session_summarize(const struct session *session, char *text, size_t bytes);

/* Wait for indexes that will soon be done; nothing is looked up any more. */
void session_settle(struct session *session);

void session_end(struct session *session);

#endif
