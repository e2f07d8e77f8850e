/*
 * The "cfi" engine in a preloaded program: its memory, and what it must know
 * of the program's code and stacks. Normal context, any thread.
 */
#ifndef PROFILER_AGENT_SHELL_ENGINE_H
#define PROFILER_AGENT_SHELL_ENGINE_H

#include <stdint.h>

#include "profiler/unwind/sig_walk.h"

/*
 * Make the engine, publish the modules that stand and the calling thread's
 * stack. NULL when there is no memory for it. Once, before the first signal.
 */
const struct prof_engine *shell_engine_open(void);

/* Modules may have come or gone: publish what changed. */
void shell_engine_update(void);

/*
 * The calling thread's stack, from its start to its end. The value goes to
 * shell_engine_drop_stack().
 */
uint64_t shell_engine_add_stack(void);
void shell_engine_drop_stack(uint64_t start);

/* In a fork's child. */
void shell_engine_after_fork(void);

#endif
