/* Whether there is still a collector. */
#include "profiler/agent/sig_presence.h"

#include "profiler/agent/sig_core.h"

/*
 * A collector that is alive is late by some milliseconds. A machine that was
 * halted makes it late by any time, but not while the program runs on.
 */
#define LATE_NS UINT64_C(5000000000)
enum { LATE_TICKS = 16 };

/* In a time name space of its own a process has another CLOCK_MONOTONIC. */
static uint64_t ahead_ns;
static _Atomic uint32_t late_ticks;

void prof_presence_begin(void)
{
    const struct wire_header *header = prof_core.ring.header;
    ahead_ns = prof_core_now_ns() -
               atomic_load_explicit(&header->seen_ns, memory_order_relaxed);
    atomic_store_explicit(&late_ticks, 0, memory_order_relaxed);
}

static bool is_late(const struct wire_header *header)
{
    uint64_t seen_ns =
        atomic_load_explicit(&header->seen_ns, memory_order_relaxed);
    int64_t since_ns = (int64_t)(prof_core_now_ns() - ahead_ns - seen_ns);
    return since_ns > (int64_t)LATE_NS;
}

SIGNAL_SAFE bool prof_presence_is_gone(const struct wire_header *header)
{
    return atomic_load_explicit(&header->is_unheard, memory_order_relaxed) ||
           is_late(header);
}

void prof_presence_note_silence(struct wire_header *header)
{
    atomic_store_explicit(&header->is_unheard, 1, memory_order_relaxed);
}

SIGNAL_SAFE bool prof_presence_is_given_up(void)
{
    struct wire_header *header = prof_core.ring.header;
    bool is_given_up =
        atomic_load_explicit(&header->is_given_up, memory_order_relaxed);
    if (!is_late(header)) {
        atomic_store_explicit(&late_ticks, 0, memory_order_relaxed);
        if (is_given_up)
            atomic_store_explicit(
                &header->is_given_up, 0, memory_order_relaxed);
        return false;
    }
    if (is_given_up)
        return true;
    if (atomic_fetch_add_explicit(&late_ticks, 1, memory_order_relaxed) <
        LATE_TICKS)
        return false;
    atomic_store_explicit(&header->is_given_up, 1, memory_order_relaxed);
    atomic_store_explicit(&header->was_given_up, 1, memory_order_relaxed);
    return true;
}
