/*
 * The threads of our own process, as /proc/self/task lists them. For normal
 * context; makes system calls.
 */
#ifndef PROFILER_AGENT_TASKS_H
#define PROFILER_AGENT_TASKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void prof_task_visit(void *owner, int tid);

/* Visit each thread; false when the list cannot be read. */
bool prof_tasks_visit(prof_task_visit *visit, void *owner);

/*
 * The same, by the id that each calls itself, whichever pid name space /proc is
 * of. Lists them twice: in a /proc that is not ours we are not on the list.
 */
bool prof_tasks_visit_own(prof_task_visit *visit, void *owner);

/*
 * Read a file of a thread, such as "status", from its beginning; at most
 * `bytes` - 1 of it, and a NUL behind. False when it is gone.
 */
bool prof_task_read(int tid, const char *name, char *text, size_t bytes);

/* What follows `name` in a text, up to the next of `name`; NULL: not there. */
const char *prof_task_find(const char *text, const char *name);

/* A hexadecimal number, with or without "0x". */
uint64_t prof_task_hex(const char *text);

#endif
