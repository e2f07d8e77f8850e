/* Records of spans; see the header. */
#include "profiler/agent/spans.h"

#include <stdatomic.h>

#include "profiler/agent/core.h"
#include "profiler/agent/link.h"
#include "profiler/agent/sig_presence.h"
#include "profiler/agent/sig_rest.h"

bool prof_core_takes_spans(void)
{
    return atomic_load_explicit(&prof_core.is_active, memory_order_relaxed) &&
           (prof_core.actions & WIRE_TAKE_SPANS) != 0;
}

void prof_core_count_unsampled(void)
{
    atomic_fetch_add_explicit(
        &prof_core.ring.header->unsampled, 1, memory_order_relaxed);
}

void prof_core_rouse(void)
{
    if (!prof_core_takes_spans())
        return;
    struct wire_header *header = prof_core.ring.header;
    /* After the record: the collector sees that one, or we see AT_REST. */
    atomic_thread_fence(memory_order_seq_cst);
    uint32_t rest = atomic_load_explicit(&header->rest, memory_order_relaxed);
    if (rest != WIRE_AT_REST && !prof_timers_are_at_rest())
        return;
    bool is_first =
        rest == WIRE_AT_REST &&
        atomic_compare_exchange_strong(&header->rest, &rest, WIRE_ROUSED);
    if (!prof_core_is_ours())
        return; /* no system call: the collector finds it when it comes by */
    prof_timers_wake();
    if (is_first && !prof_presence_is_gone(header))
        prof_link_tell(prof_core.config.session, WIRE_ROUSED_BY_SPAN);
}

static uint16_t text_bytes(const char *text, uint32_t most)
{
    uint32_t bytes = 0;
    while (text != NULL && bytes < most && text[bytes] != '\0')
        bytes++;
    return (uint16_t)bytes;
}

static void copy_text(char *to, const char *text, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        ((volatile char *)to)[i] = text[i];
}

void prof_core_write_span(
    const struct wire_span *span, const char *first, const char *second)
{
    if (!prof_core_takes_spans())
        return;
    uint32_t most = span->record.flags == WIRE_SPAN_BAGGAGE
                        ? WIRE_SPAN_BAGGAGE_BYTES
                        : WIRE_SPAN_TEXT_BYTES;
    uint16_t first_bytes = text_bytes(first, most);
    uint16_t second_bytes = text_bytes(second, most);
    uint32_t tid = prof_core_tid();
    struct prof_claim claim = prof_ring_claim(
        &prof_core.ring, (uint32_t)sizeof *span + first_bytes + second_bytes,
        tid);
    if (claim.bytes == NULL)
        return;
    struct wire_span *made = claim.bytes;
    *made = *span;
    made->record.tid = tid;
    made->record.time_ns = prof_core_now_ns();
    made->first_bytes = first_bytes;
    made->second_bytes = second_bytes;
    copy_text(made->texts, first, first_bytes);
    copy_text(made->texts + first_bytes, second, second_bytes);
    prof_ring_commit(&prof_core.ring, &claim);
}
