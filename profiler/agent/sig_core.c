/* The core's state, and what handlers ask of it; see the header. */
#include "profiler/agent/sig_core.h"

#include <time.h>

#include "profiler/agent/sys.h"

struct prof_core prof_core;

SIGNAL_SAFE void prof_core_fall_silent(bool is_getpid_safe)
{
    prof_core.is_getpid_safe = is_getpid_safe;
    if (prof_core.ring.header != NULL)
        atomic_store_explicit(
            &prof_core.ring.header->is_filtered, 1, memory_order_relaxed);
    atomic_store_explicit(&prof_core.is_silent, 1, memory_order_relaxed);
}

SIGNAL_SAFE bool prof_core_is_silent(void)
{
    const struct wire_header *header = prof_core.ring.header;
    return atomic_load_explicit(&prof_core.is_silent, memory_order_relaxed) ||
           (header != NULL &&
            atomic_load_explicit(&header->is_filtered, memory_order_relaxed));
}

SIGNAL_SAFE bool prof_core_is_ours(void)
{
    return atomic_load_explicit(&prof_core.is_active, memory_order_relaxed) &&
           !prof_core_is_silent() && (uint32_t)sys_getpid() == prof_core.pid;
}

SIGNAL_SAFE uint32_t prof_core_tid(void)
{
    if (prof_core.config.tid_offset == 0)
        return (uint32_t)sys_gettid();
    const char *thread_pointer = __builtin_thread_pointer();
    return *(const uint32_t *)(thread_pointer + prof_core.config.tid_offset);
}

EVERY_SAMPLE uint64_t prof_core_now_ns(void)
{
    struct timespec now = {0};
    (void)prof_core.clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
