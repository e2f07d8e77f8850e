/* The collected answers of an index as the bytes of its parts
   (index_format.h). */
#ifndef SYMBOLIZER_INDEX_PACK_H
#define SYMBOLIZER_INDEX_PACK_H

#include <stdbool.h>

#include "profiler/base/table.h"
#include "symbolizer/index_format.h"
#include "symbolizer/index_writer.h"

/* Zeroed is empty. */
struct sym_index_packed {
    struct table directory, groups;   /* uint32_t */
    struct table places, nodes, text; /* bytes */
    uint32_t stretch_shift, stretch_count;
    struct table ranks;   /* uint32_t: per string of the writer, its place */
    struct table offsets; /* uint32_t: per node */
    bool has_failed;      /* out of memory; sticky */
};

/* False when out of memory; then what there is needs its fini as well. */
bool sym_index_pack(
    struct sym_index_packed *packed, const struct sym_index_writer *writer);

void sym_index_packed_fini(struct sym_index_packed *packed);

#endif
