/* The running processes, and threads, that a command line names. */
#ifndef TOOLS_PROCESS_LIST_H
#define TOOLS_PROCESS_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"

#define PROCESS_LIST_MAX 256

struct process_list {
    uint32_t ids[PROCESS_LIST_MAX]; /* each once, in the order given */
    uint32_t count;
};

/*
 * Add what "PROCESS,..." names: pids, or names of programs of which only one
 * runs. A name is what `ps -o comm` shows, or the base name of the program's
 * file; no process is found by the name of a thread.
 *
 *   errors   USAGE: no pid and no name of a process that runs, or the name of
 *            several, which are told; LIMIT: more than PROCESS_LIST_MAX
 */
MUST_CHECK enum status process_list_add(
    struct process_list *list, const char *text, struct diag *diag);

/* Add "TID,..."; false when that is no list of numbers. */
bool process_list_add_threads(struct process_list *list, const char *text);

#endif
