/* What the kernel says that threads and processes have used. */
#ifndef PROFILER_COLLECTOR_CPU_TIME_H
#define PROFILER_COLLECTOR_CPU_TIME_H

#include <stdint.h>

/*
 * CPU time of a thread, and of the whole process; ns; 0 when it is gone. The
 * kernel counts at switches and ticks: a process that has just begun has 1.
 */
uint64_t prof_thread_cpu_ns(uint32_t pid, uint32_t tid);
uint64_t prof_process_cpu_ns(uint32_t pid);

#endif
