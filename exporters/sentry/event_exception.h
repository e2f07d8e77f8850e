/*
 * The `exception` of an event: what the crash is called, in what words, by
 * which mechanism it came, with the stack and the registers of its thread.
 */
#ifndef EXPORTERS_SENTRY_EVENT_EXCEPTION_H
#define EXPORTERS_SENTRY_EVENT_EXCEPTION_H

#include <stdbool.h>
#include <stdint.h>

#include "exporters/json.h"
#include "exporters/sentry/event_stack.h"

/*
 *   frames_max  as of exp_event_stack_write()
 *   returns     false when out of memory
 */
bool exp_event_exception_write(
    struct exp_event_stacks *stacks, uint32_t frames_max,
    struct exp_json *json);

/*
 * What an event is called: of an exception its type, else the signal or what
 * there was instead; and the words beside it.
 */
const char *exp_event_type(
    const struct prof_crash *crash, char buffer[static PROF_SIGNAL_NAME_BYTES]);
void exp_event_value(const struct prof_crash *crash, char *text, size_t bytes);

#endif
