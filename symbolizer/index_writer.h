/*
 * An index in the making (index_format.h): answers come in the order of their
 * addresses, and what they share is kept once.
 *
 * Failures are sticky: add what there is, then ask
 * sym_index_save().
 */
#ifndef SYMBOLIZER_INDEX_WRITER_H
#define SYMBOLIZER_INDEX_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/base/table.h"
#include "symbolizer/index_format.h"
#include "symbolizer/strings.h"

/*
 * What runs from a place on. Without a node no function is known: the answer
 * is the source alone, or none at all.
 */
struct sym_index_answer {
    uint32_t node;   /* the innermost, or SYM_INDEX_NONE */
    uint32_t source; /* of the instruction */
};

/* A function, or a call that was inlined, behind everything around it. */
struct sym_index_node {
    uint32_t name; /* string; 0: a function of which only the start is known */
    uint32_t caller; /* a node, or SYM_INDEX_NONE for a function's own body */
    uint32_t call;   /* source of the call; of a body, its start from `base` */
};

struct sym_index_writer {
    const struct sym_strings *texts; /* what ids of names and files mean */
    uint64_t base;
    struct table places;  /* uint32_t */
    struct table answers; /* struct sym_index_answer */
    struct table nodes;   /* struct sym_index_node */
    struct table sources; /* struct sym_index_source */
    struct table strings; /* uint32_t: ids of `texts` */
    struct table known;   /* per id of `texts`: its string, or TABLE_NONE */
    struct index node_index, source_index;
    enum status status; /* the first failure: NO_MEMORY or LIMIT */
};

/* Places count from `base`; those 4 GiB away are a LIMIT. */
void sym_index_writer_init(
    struct sym_index_writer *writer, const struct sym_strings *texts,
    uint64_t base);
void sym_index_writer_fini(struct sym_index_writer *writer);

/* A row of `sources`, whose file is an id of a path; 0 when nothing of it is
   known. */
uint32_t sym_index_writer_source(
    struct sym_index_writer *writer, struct sym_index_source source);

/* A function that begins at `start`, with an id of its name; 0: no name. */
uint32_t sym_index_writer_body(
    struct sym_index_writer *writer, uint32_t name, uint64_t start);

/* A call of `name` that was inlined into the node `caller` at `call`. */
uint32_t sym_index_writer_inlined(
    struct sym_index_writer *writer, uint32_t name, uint32_t caller,
    uint32_t call);

/*
 * The answer from `vaddr` on; `node` may be SYM_INDEX_NONE. Addresses must not
 * descend; of two answers for one address the later counts.
 */
void sym_index_writer_answer(
    struct sym_index_writer *writer, uint64_t vaddr, uint32_t node,
    uint32_t source);

#endif
