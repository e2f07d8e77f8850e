/*
 * A profile in the making, as `record` and the collector of a preloaded
 * program share it: from the empty profile with its origin to the outputs and
 * the summary.
 */
#ifndef TOOLS_SESSION_H
#define TOOLS_SESSION_H

#include "profiler/collector/collector.h"
#include "symbolizer/symbolizer.h"
#include "tools/outputs.h"

struct session {
    struct prof_profile *profile;
    struct prof_collector *collector;
    struct outputs outputs;
    uint64_t period_ns;
    struct sym_symbolizer *symbolizer;
    uint32_t foreseen; /* modules that the symbolizer was told of */
    void (*remark)(const char *text); /* on names; NULL: nobody listens */
};

/* Make the profile and the collector; `options->period_ns` is the session's. */
MUST_CHECK enum status session_begin(
    struct session *session, const struct prof_collector_options *options,
    struct diag *diag);

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

/* One line about what was recorded; never more than the buffer. */
void session_summarize(const struct session *session, char *text, size_t bytes);

/* Wait for indexes that will soon be done; nothing is looked up any more. */
void session_settle(struct session *session);

void session_end(struct session *session);

#endif
