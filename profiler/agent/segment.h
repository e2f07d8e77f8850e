/*
 * The segment of shared memory with this process's ring in it: made, mapped
 * and let go. Its layout stands in profiler/wire/segment.h.
 */
#ifndef PROFILER_AGENT_SEGMENT_H
#define PROFILER_AGENT_SEGMENT_H

#include <stdint.h>

/*
 * Make a sealed segment and map it: prof_core.ring. A limit of the program's
 * that leaves no room for it is found out before it is hit, for hitting
 * RLIMIT_FSIZE is a signal that kills (setrlimit(2)).
 *
 *   reason   out: on failure, what leaves no room, with its value
 *   returns  its descriptor, the caller's; negative: there is none
 */
int prof_segment_make(char *reason, uint32_t reason_bytes);

/* The sentence for private memory, `what` it was for, that is not to be had. */
void prof_memory_lacks(const char *what, char *reason, uint32_t reason_bytes);

/* Unmap it, if there is one. */
void prof_segment_release(void);

#endif
