/* Lookup in a table of rows; see the header. */
#include "profiler/unwind/sig_row_table.h"

/* A packed row as the cache holds it. */
static uint32_t unpack(uint32_t packed)
{
    return prof_row_make(
        (enum prof_row_kind)(packed >> 8 & 7), packed >> 19,
        packed >> 11 & 0xff);
}

EVERY_SAMPLE uint32_t prof_row_table_find(
    const struct prof_row_table *table, uint64_t vaddr,
    struct prof_stretch *stretch)
{
    uint64_t offset = vaddr - table->start;
    uint64_t granule = offset >> PROF_ROW_GRANULE_BITS;
    if (granule >= table->granule_count)
        return prof_row_make(PROF_ROW_FULL, 0, 0);

    const uint32_t *firsts = table->words;
    const uint32_t *rows = firsts + table->granule_count;
    uint32_t first = firsts[granule];
    uint32_t end = granule + 1 < table->granule_count ? firsts[granule + 1]
                                                      : table->row_count;
    if (end > table->row_count || first > end)
        return prof_row_make(PROF_ROW_FULL, 0, 0);

    /* A handful of rows: walking them beats halving. */
    uint32_t at = first;
    while (at < end && (rows[at] & 0xff) <= (offset & 0xff))
        at++;
    if (at == 0)
        return prof_row_make(PROF_ROW_NONE, 0, 0);
    uint64_t start = table->start + (granule << PROF_ROW_GRANULE_BITS);
    stretch->start = at > first ? start + (rows[at - 1] & 0xff) : start;
    stretch->end = start + (at < end ? rows[at] & 0xff
                                     : UINT64_C(1) << PROF_ROW_GRANULE_BITS);
    return unpack(rows[at - 1]);
}
