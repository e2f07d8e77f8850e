/*
 * The threads of a process that is in a pid name space of its own, by the ids
 * that they call themselves: pid_namespaces(7), NSpid in proc_pid_status(5).
 */
#ifndef PROFILER_COLLECTOR_INNER_TIDS_H
#define PROFILER_COLLECTOR_INNER_TIDS_H

#include <stdint.h>

#include "profiler/base/table.h"

/* All zeroes: none is known. */
struct prof_inner_tids {
    struct table rows;     /* struct prof_inner_tid */
    struct index by_inner; /* into rows */
    uint64_t next_ns;      /* when the list of threads may be read again */
};

void prof_inner_tids_fini(struct prof_inner_tids *tids);

/*
 * As we see the thread that calls itself `inner`; 0: unknown, or it has ended
 * before it was ever listed. The list is read where it is not known yet, if
 * that takes no more than a small part of the time.
 */
uint32_t prof_inner_tids_outer(
    struct prof_inner_tids *tids, uint32_t pid, uint32_t inner);

/*
 * The same of a thread that has ended, if it was listed; whoever gets its id is
 * another one.
 */
uint32_t prof_inner_tids_take(struct prof_inner_tids *tids, uint32_t inner);

#endif
