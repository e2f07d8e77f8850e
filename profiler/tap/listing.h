/* The threads and children of a process that runs: proc(5). */
#ifndef PROFILER_TAP_LISTING_H
#define PROFILER_TAP_LISTING_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/table.h"

struct prof_tap_listed {
    uint32_t pid, tid;
};

/*
 * Add every thread of `pid` and of all that it and they have started, as far
 * as they are there now and their parents are. Of processes that `rows` has
 * already, nothing is added.
 *
 *   rows     struct prof_tap_listed
 *   returns  false when `pid` itself is gone
 */
bool prof_tap_list_tree(uint32_t pid, struct table *rows);

#endif
