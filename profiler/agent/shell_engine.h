/*
 * The "cfi" engine in a preloaded program: its memory, and what it must know
 * of the program's code and stacks. Normal context, any thread.
 */
#ifndef PROFILER_AGENT_SHELL_ENGINE_H
#define PROFILER_AGENT_SHELL_ENGINE_H

#include <pthread.h>
#include <stddef.h>
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
 * The module of this handle is about to be closed: no handler looks at it any
 * more, where it stands, when this returns. Others are to be published after.
 */
void shell_engine_part_with(void *handle);

/* Of a thread that pthread_create() makes with these attributes, or NULL. */
size_t shell_engine_stack_bytes(const pthread_attr_t *attributes);

/*
 * The calling thread's stack, of a size that was told beforehand. Allocates
 * nothing. The value goes to shell_engine_drop_stack().
 */
uint64_t shell_engine_add_stack(size_t bytes);
void shell_engine_drop_stack(uint64_t start);

/* The calling thread's alternate stack is another, or none: 0 bytes. */
void shell_engine_set_alternate(uint64_t start, size_t bytes);

/* In a fork's child. */
void shell_engine_after_fork(void);

#endif
