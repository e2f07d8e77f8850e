/* Processors that are in use; see the header. */
#include "profiler/tap/processors.h"

#define LATELY_NS UINT64_C(1000000000)

bool prof_processors_has(
    const struct prof_processors *processors, uint32_t processor,
    uint64_t now_ns)
{
    uint64_t seen_ns = processors->seen_ns[processor];
    return processor == processors->latest ||
           (seen_ns != 0 && (now_ns < seen_ns || now_ns - seen_ns < LATELY_NS));
}

void prof_processors_note(
    struct prof_processors *processors, uint32_t processor, uint64_t now_ns)
{
    if (processor >= PROF_PROCESSORS_MOST)
        return;
    processors->seen_ns[processor] = now_ns;
    processors->latest = processor;
    if (processor >= processors->end)
        processors->end = processor + 1;
}
