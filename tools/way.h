/* Begin to sample processes that run already, in one of the ways there are. */
#ifndef TOOLS_WAY_H
#define TOOLS_WAY_H

#include "tools/record_options.h"
#include "tools/session.h"

/*
 * By the way that `options` names, or the best one that is open; the session's
 * outputs have begun. What is closed is judged first, and a way that fails all
 * the same, as an agent may by what only the process knows, gives way to the
 * next one.
 *
 *   errors  why not; where each way has its own reason, these were said
 */
MUST_CHECK enum status way_begin(
    const struct record_options *options, struct session *session,
    struct diag *diag);

#endif
