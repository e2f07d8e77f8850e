/*
 * Answers from an index on disk (index_format.h), without the debug
 * information it was made from.
 */
#ifndef SYMBOLIZER_INDEX_H
#define SYMBOLIZER_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/base/table.h"
#include "symbolizer/index_format.h"

struct sym_index {
    const uint8_t *bytes;
    size_t bytes_count;
    bool is_mapped; /* else borrowed, or */
    bool is_read;   /* on the heap */
    bool is_damaged;
    struct sym_index_header header;
    struct sym_index_layout at;
    uint8_t *is_checked; /* a byte for every block */
    struct table text;   /* of the last string */
};

/* A walk from the innermost frame at an address outwards. */
struct sym_index_walk {
    uint32_t node;                  /* of the next frame, or SYM_INDEX_NONE */
    struct sym_index_source source; /* of the next frame */
    bool is_over;
    uint64_t start_vaddr; /* of the function, when the walk is over */
};

struct sym_index_frame {
    uint32_t name; /* string; 0: not known */
    struct sym_index_source source;
    bool is_inlined;
};

/*
 * Map the file behind `fd`, which stays the caller's and must be a file that
 * nobody else may change. Where files cannot be mapped, it is read.
 *
 *   key      the index must have been made with it
 *   errors   MALFORMED (damage), MISMATCH (another version, another file),
 *            SYSTEM, NO_MEMORY
 *   cost     the same for every size
 */
MUST_CHECK enum status sym_index_open(
    struct sym_index *index, int fd, uint64_t key, struct diag *diag);

/* The same from bytes, aligned to 8, that outlive the index. */
MUST_CHECK enum status sym_index_open_memory(
    struct sym_index *index, const void *bytes, size_t count, uint64_t key,
    struct diag *diag);

void sym_index_close(struct sym_index *index);

/*
 * What runs at `vaddr`. After a walk that met a damaged block, `is_damaged` is
 * set and nothing of the answer may be used.
 */
struct sym_index_walk sym_index_find(struct sym_index *index, uint64_t vaddr);

/* The next frame outwards; false when there is none. */
bool sym_index_walk_next(
    struct sym_index *index, struct sym_index_walk *walk,
    struct sym_index_frame *frame);

/* "" for what is out of bounds. Valid until the next one; NULL when out of
   memory. */
const char *sym_index_string(struct sym_index *index, uint32_t id);

#endif
