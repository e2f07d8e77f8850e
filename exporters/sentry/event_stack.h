/* Stacks of an event, from the caller to the callee. */
#ifndef EXPORTERS_SENTRY_EVENT_STACK_H
#define EXPORTERS_SENTRY_EVENT_STACK_H

#include "exporters/frames.h"
#include "exporters/json.h"
#include "profiler/model/crash.h"

struct exp_event_stacks {
    const struct prof_crash *crash;
    struct exp_frames *names;
    const char *in_app; /* see in_app.h; or NULL */
    bool *is_used;      /* by module: it owns a frame that was written */
};

/*
 * The member `stacktrace`.
 *
 *   frames_max      the innermost and some of the outermost are written
 *   with_registers  of the thread that crashed
 *   returns         false when out of memory
 */
bool exp_event_stack_write(
    struct exp_event_stacks *stacks, const struct prof_sample *sample,
    uint32_t frames_max, bool with_registers, struct exp_json *json);

/* Where that frame's code was in the process; 0: not known. */
uint64_t exp_event_frame_pc(const struct prof_crash *crash, uint32_t frame);

#endif
