/* watchfire record -p: sample processes that run already. */
#ifndef TOOLS_ATTACH_H
#define TOOLS_ATTACH_H

#include "tools/record_options.h"
#include "tools/session.h"

/* The exit status. */
int attach_record(struct record_options *options);

/* Begin the outputs that the command line names, or the default one. */
MUST_CHECK enum status record_prepare_outputs(
    struct record_options *options, struct session *session, struct diag *diag);

/* Say what a summary of sampling by agents does not. */
void say_collector_remarks(const struct session *session);

/* Say what a summary of sampling from outside does not. */
void say_tap_remarks(const struct session *session);

#endif
