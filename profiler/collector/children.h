/* The children of a process, by proc(5). */
#ifndef PROFILER_COLLECTOR_CHILDREN_H
#define PROFILER_COLLECTOR_CHILDREN_H

#include <stdbool.h>
#include <stdint.h>

/* True also where this system does not tell (CONFIG_PROC_CHILDREN). */
bool prof_has_children(uint32_t pid);

typedef void prof_child_visit(void *owner, uint32_t pid);

/* Visit each of its children; none where this system does not tell. */
void prof_children_visit(uint32_t pid, prof_child_visit *visit, void *owner);

#endif
