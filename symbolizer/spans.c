/*
 * The sweep: spans enter in the order of their starts into a heap with the
 * greatest owner on top; the top owns every address up to its own end or to
 * the next start, whichever comes first. Spans that ended leave the heap only
 * when they reach its top.
 */
#include "symbolizer/spans.h"

#include <stdlib.h>
#include <string.h>

enum { RADIX_BITS = 11, RADIX = 1 << RADIX_BITS };

struct sweep {
    struct table flat;
    struct sym_span *heap; /* by owner, greatest first */
    uint32_t heap_count;
};

static int by_start(const void *left, const void *right)
{
    const struct sym_span *a = left, *b = right;
    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    return (a->owner > b->owner) - (a->owner < b->owner);
}

/* One pass of a radix sort: order by eleven bits of the key, stably. */
static void sort_by_bits(
    const struct sym_span *from, struct sym_span *to, uint32_t count,
    uint64_t base, unsigned shift)
{
    uint32_t places[RADIX] = {0};
    for (uint32_t i = 0; i < count; i++)
        places[(from[i].start - base) >> shift & (RADIX - 1)]++;
    for (uint32_t digit = 0, place = 0; digit < RADIX; digit++) {
        uint32_t digit_count = places[digit];
        places[digit] = place;
        place += digit_count;
    }
    for (uint32_t i = 0; i < count; i++)
        to[places[(from[i].start - base) >> shift & (RADIX - 1)]++] = from[i];
}

/*
 * Sort by start; `spare` has room for as many. Addresses of a unit lie close
 * together, so two or three passes over them do what qsort() does in fifteen.
 */
static void sort_by_start(
    struct sym_span *rows, struct sym_span *spare, uint32_t count)
{
    if (count < RADIX / 8) {
        qsort(rows, count, sizeof *rows, by_start);
        return;
    }
    uint64_t low = UINT64_MAX, high = 0;
    for (uint32_t i = 0; i < count; i++) {
        low = rows[i].start < low ? rows[i].start : low;
        high = rows[i].start > high ? rows[i].start : high;
    }
    struct sym_span *from = rows, *to = spare;
    for (unsigned shift = 0; shift < 64 && (high - low) >> shift != 0;
         shift += RADIX_BITS) {
        sort_by_bits(from, to, count, low, shift);
        struct sym_span *sorted = to;
        to = from;
        from = sorted;
    }
    if (from != rows)
        memcpy(rows, from, count * sizeof *rows);
}

static void swap(struct sym_span *a, struct sym_span *b)
{
    struct sym_span other = *a;
    *a = *b;
    *b = other;
}

static void heap_push(struct sweep *sweep, struct sym_span span)
{
    struct sym_span *heap = sweep->heap;
    uint32_t at = sweep->heap_count++;
    heap[at] = span;
    for (; at > 0 && heap[(at - 1) / 2].owner < heap[at].owner;
         at = (at - 1) / 2)
        swap(&heap[at], &heap[(at - 1) / 2]);
}

static void heap_pop(struct sweep *sweep)
{
    struct sym_span *heap = sweep->heap;
    uint32_t count = --sweep->heap_count;
    heap[0] = heap[count];
    for (uint32_t at = 0;;) {
        uint32_t best = at;
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2; child++) {
            if (child < count && heap[child].owner > heap[best].owner)
                best = child;
        }
        if (best == at)
            return;
        swap(&heap[at], &heap[best]);
        at = best;
    }
}

/* Append [start, end) of an owner, or stretch the last span. */
static bool emit(
    struct sweep *sweep, uint64_t start, uint64_t end, uint32_t owner)
{
    if (sweep->flat.count > 0) {
        struct sym_span *last = table_row(&sweep->flat, sweep->flat.count - 1);
        if (last->end == start && last->owner == owner) {
            last->end = end;
            return true;
        }
    }
    struct sym_span span = {.start = start, .end = end, .owner = owner};
    return table_add(&sweep->flat, &span) != TABLE_NONE;
}

/* Give every address in [from, to) to the spans that entered before `from`. */
static bool sweep_to(struct sweep *sweep, uint64_t from, uint64_t to)
{
    while (sweep->heap_count > 0 && from < to) {
        struct sym_span top = sweep->heap[0];
        if (top.end <= from) {
            heap_pop(sweep);
            continue;
        }
        uint64_t end = top.end < to ? top.end : to;
        if (!emit(sweep, from, end, top.owner))
            return false;
        from = end;
    }
    return true;
}

bool sym_spans_flatten(struct table *spans)
{
    if (spans->count == 0)
        return true;
    struct sweep sweep = {
        .flat.row_bytes = sizeof(struct sym_span),
        .heap = malloc((size_t)spans->count * sizeof *sweep.heap)};
    if (sweep.heap == NULL)
        return false;

    struct sym_span *rows = spans->rows;
    /* The heap is not in use yet. */
    sort_by_start(rows, sweep.heap, spans->count);

    bool is_ok = true;
    for (uint32_t i = 0; is_ok && i < spans->count; i++) {
        heap_push(&sweep, rows[i]);
        uint64_t next = i + 1 < spans->count ? rows[i + 1].start : UINT64_MAX;
        is_ok = sweep_to(&sweep, rows[i].start, next);
    }
    free(sweep.heap);
    if (!is_ok) {
        table_fini(&sweep.flat);
        return false;
    }
    table_fini(spans);
    *spans = sweep.flat;
    return true;
}

const struct sym_span *sym_spans_find(const struct table *spans, uint64_t vaddr)
{
    const struct sym_span *rows = spans->rows;
    uint32_t low = 0, high = spans->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (rows[middle].end <= vaddr)
            low = middle + 1;
        else
            high = middle;
    }
    return low < spans->count && rows[low].start <= vaddr ? &rows[low] : NULL;
}
