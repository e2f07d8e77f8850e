/*
 * The table Go's runtime needs for tracebacks (.gopclntab): functions with
 * their names, and what pclntab_frames.h reads of each.
 *
 * It stays where symbol tables and DWARF were stripped (-ldflags="-s -w"), and
 * is complete. All four forms there have been are read: of Go 1.2, 1.16, 1.18
 * and 1.20 (cmd/link and debug/gosym of each).
 */
#ifndef SYMBOLIZER_PCLNTAB_H
#define SYMBOLIZER_PCLNTAB_H

#include <stdbool.h>
#include <stdint.h>

#include "symbolizer/image.h"
#include "symbolizer/names.h"

/* By what Go 1.2 to 1.15, and later ones, write first. */
enum sym_pclntab_form {
    SYM_GO_1_2 = (int)0xfffffffb,
    SYM_GO_1_16 = (int)0xfffffffa,
    SYM_GO_1_18 = (int)0xfffffff0,
    SYM_GO_1_20 = (int)0xfffffff1,
};

/* Borrows from the image. Areas reach to the end of what they lie in, since
   only their starts are told. */
struct sym_pclntab {
    const struct sym_image *image;
    enum sym_pclntab_form form;
    unsigned quantum;                /* what distances of code are counted in */
    unsigned word_bytes, cell_bytes; /* cell: of a row of `functions` */
    uint64_t function_count, text_start;
    struct sym_section_bytes bytes; /* all of it */
    struct sym_section_bytes names, units, files, values, functions;
    struct sym_section_bytes data; /* that of functions; Go 1.18 on */
};

struct sym_pclntab_function {
    uint64_t vaddr, end;           /* with the padding behind it; of the file */
    const char *name;              /* "" damaged */
    struct sym_section_bytes head; /* what else is known, from the entry on */
};

/* False when the file has none, or what it has is damaged. */
bool sym_pclntab_open(struct sym_pclntab *table, const struct sym_image *image);

/* The function of a row; rows ascend by `vaddr`. False: damaged. */
bool sym_pclntab_function(
    const struct sym_pclntab *table, uint64_t row,
    struct sym_pclntab_function *function);

/* The function whose code is at `vaddr`. */
bool sym_pclntab_find(
    const struct sym_pclntab *table, uint64_t vaddr,
    struct sym_pclntab_function *function);

/* A name by its offset, "" damaged. */
const char *sym_pclntab_name(const struct sym_pclntab *table, uint64_t offset);

/*
 * Add a symbol for every function of the table, if the file has one. What is
 * damaged is passed over.
 *
 *   returns  false when out of memory
 */
bool sym_names_add_pclntab(
    struct sym_names *names, const struct sym_image *image);

#endif
