/*
 * What /proc tells of a process, for the profile's tables: proc(5).
 */
#ifndef PROFILER_COLLECTOR_PROCESS_FILES_H
#define PROFILER_COLLECTOR_PROCESS_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/model/profile.h"

/*
 * Add the process, with its name, program and parent.
 *
 *   returns  its row; PROF_NONE when out of memory
 */
uint32_t prof_process_files_add(struct prof_profile *profile, uint32_t pid);

/* What a thread is called, as a string of the profile; 0: it is gone, or no
   thread is meant (`tid` 0). */
uint32_t prof_process_files_thread_name(
    struct prof_profile *profile, uint32_t pid, uint32_t tid);

/* Whether the process has this thread now. */
bool prof_process_files_has_thread(uint32_t pid, uint32_t tid);

/*
 * The number of a line of /proc/PID/status, such as "Seccomp"; 0 when there is
 * no such line, or no such process.
 */
uint32_t prof_process_files_status(uint32_t pid, const char *field);

/* How many threads it has, and how much memory; false when it is gone. */
bool prof_process_files_sizes(
    uint32_t pid, uint32_t *threads, uint64_t *resident_bytes);

#endif
