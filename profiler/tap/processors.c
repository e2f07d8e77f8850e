/* Processors in turns; see the header. */
#include "profiler/tap/processors.h"

#include <stdbool.h>

#define LATELY_NS UINT64_C(1000000000)

static bool is_in_turn(
    const struct prof_processors *processors, uint32_t processor,
    uint64_t now_ns)
{
    uint64_t seen_ns = processors->seen_ns[processor];
    return seen_ns != 0 && (now_ns < seen_ns || now_ns - seen_ns < LATELY_NS);
}

void prof_processors_note(
    struct prof_processors *processors, uint32_t processor, uint64_t now_ns)
{
    if (processor < PROF_PROCESSORS_MOST)
        processors->seen_ns[processor] = now_ns;
}

uint32_t prof_processors_count(
    const struct prof_processors *processors, uint64_t now_ns)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < PROF_PROCESSORS_MOST; i++)
        count += is_in_turn(processors, i, now_ns);
    return count > 0 ? count : 1;
}

uint32_t prof_processors_next(
    struct prof_processors *processors, uint64_t now_ns)
{
    for (uint32_t i = 1; i <= PROF_PROCESSORS_MOST; i++) {
        uint32_t processor = (processors->last + i) % PROF_PROCESSORS_MOST;
        if (is_in_turn(processors, processor, now_ns))
            return processors->last = processor;
    }
    return processors->last;
}
