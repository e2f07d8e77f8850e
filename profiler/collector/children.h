/* Whether a process has children, by proc(5). */
#ifndef PROFILER_COLLECTOR_CHILDREN_H
#define PROFILER_COLLECTOR_CHILDREN_H

#include <stdbool.h>
#include <stdint.h>

/* True also where this system does not tell (CONFIG_PROC_CHILDREN). */
bool prof_has_children(uint32_t pid);

#endif
