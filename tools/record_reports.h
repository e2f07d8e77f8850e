/* What `record` reports to a Sentry backend, if SENTRY_DSN says where. */
#ifndef TOOLS_RECORD_REPORTS_H
#define TOOLS_RECORD_REPORTS_H

#include "tools/record_options.h"
#include "tools/session.h"

/*
 * Begin to report, before outputs are prepared: reports are the output where no
 * -o is given, and the rate is that of continuous profiling where no -F is. A
 * mistake in the settings is said, and nothing reported: the work goes on.
 */
void record_begin_reports(
    struct record_options *options, struct session *session);

/*
 * How a program ended, as sessions tell it: a fatal signal is a crash when it
 * is one that programs raise by their mistakes.
 */
enum exp_session_status record_session_status(int wait_status);

/* How it ended, for the transaction of its whole run. */
void record_note_exit(struct session *session, int wait_status);

/* Wait for what is sent yet, and say why something is not. */
void record_finish_reports(struct session *session);

#endif
