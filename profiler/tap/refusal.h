/* Why perf events on another process are refused, for a person. */
#ifndef PROFILER_TAP_REFUSAL_H
#define PROFILER_TAP_REFUSAL_H

#include "profiler/base/status.h"

/*
 * Fill in `diag` for perf_event_open(2) that failed with `error` on a process
 * that is there and may be looked at.
 */
enum status prof_tap_refusal(int error, struct diag *diag);

/* Why kernel time is not seen. */
void prof_tap_explain_user_only(struct diag *diag);

#endif
