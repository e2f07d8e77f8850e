/*
 * What Go's runtime knows of itself (runtime.moduledata), found in a file
 * without symbols: it begins with the address of the table of functions.
 */
#ifndef SYMBOLIZER_MODULEDATA_H
#define SYMBOLIZER_MODULEDATA_H

#include <stdbool.h>
#include <stdint.h>

#include "symbolizer/image.h"

/* What is known of the table. */
struct sym_moduledata_search {
    const struct sym_image *image;
    unsigned word_bytes;
    bool is_go_1_18;           /* or 1.19; else later */
    uint64_t table_vaddr;      /* where it is loaded */
    uint64_t names, functions; /* offsets of these areas in it */
};

struct sym_moduledata {
    uint64_t text_start;                    /* entries count from here */
    struct sym_section_bytes function_data; /* "go:func.*" */
};

/*
 * Of Go 1.18 or later. False when it is nowhere: then a file that was linked
 * with C code has no names, for its text does not begin with Go's, and none
 * has inlined calls.
 */
bool sym_moduledata_find(
    struct sym_moduledata *found, const struct sym_moduledata_search *search);

#endif
