/*
 * Address ranges with owners, flattened: overlapping ranges in, sorted ranges
 * that do not overlap out. Symbols and inlined functions both end as such.
 */
#ifndef SYMBOLIZER_SPANS_H
#define SYMBOLIZER_SPANS_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/table.h"

struct sym_span {
    uint64_t start, end; /* half open, start < end */
    uint32_t owner;
};

/*
 * Where ranges overlap the greatest owner wins, so owners are numbered such
 * that the better answer comes later: an inlined function after the one it is
 * inlined into. Neighbours of one owner become one span.
 *
 *   spans    a table of struct sym_span in any order; replaced on success
 *   returns  false when out of memory
 *   cost     O(n log n)
 */
bool sym_spans_flatten(struct table *spans);

/* The span that holds `vaddr` in flattened spans, or NULL. */
const struct sym_span *sym_spans_find(
    const struct table *spans, uint64_t vaddr);

#endif
