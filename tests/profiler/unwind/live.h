/* The engine "cfi" set up for the test's own process. */
#ifndef TESTS_PROFILER_UNWIND_LIVE_H
#define TESTS_PROFILER_UNWIND_LIVE_H

#include <stdbool.h>

#include "profiler/unwind/sig_engine.h"

/*
 * An engine that knows every loaded object and the calling thread's stack;
 * aborts when it cannot be made. live_destroy() it.
 */
struct prof_cfi_engine *live_create(void);
void live_destroy(struct prof_cfi_engine *cfi);

/* Publish all that is loaded now, except the object whose name ends in
 * `without` (may be NULL). */
bool live_publish(struct prof_cfi_engine *cfi, const char *without);

/* Publish the calling thread's stack. */
void live_add_stack(struct prof_cfi_engine *cfi);
void live_remove_stack(struct prof_cfi_engine *cfi);

#endif
