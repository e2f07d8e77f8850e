/* What the kernel says that threads and processes have used. */
#include "profiler/collector/cpu_time.h"

#include <stdlib.h>
#include <time.h>

#include "profiler/base/proc.h"

uint64_t prof_thread_cpu_ns(uint32_t pid, uint32_t tid)
{
    char text[64];
    return proc_read(pid, tid, "schedstat", text, sizeof text)
               ? strtoull(text, NULL, 10)
               : 0;
}

uint64_t prof_process_cpu_ns(uint32_t pid)
{
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid((pid_t)pid, &clock) != 0 ||
        clock_gettime(clock, &used) != 0)
        return 0;
    uint64_t used_ns =
        (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
    return used_ns > 0 ? used_ns : 1; /* not switched or ticked yet */
}
