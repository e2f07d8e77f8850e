/*
 * What a seccomp filter would do to system calls that are ours. The program
 * is about to install one; it must not be killed for what it never called.
 */
#ifndef PROFILER_AGENT_SHELL_FILTER_H
#define PROFILER_AGENT_SHELL_FILTER_H

#include <stdbool.h>

struct sock_fprog;

/*
 * Before a filter goes into force: end sampling where the return from a signal
 * handler would be refused. `program` is the program's pointer and may lead
 * nowhere; NULL: strict mode.
 */
void shell_filter_prepare(const struct sock_fprog *program);

/* It is in force: when it kills, no system call of our own is made any more. */
void shell_filter_installed(void);

/* Whether a new program of ours would be killed under it at its start. */
bool shell_filter_is_deadly(void);

#endif
