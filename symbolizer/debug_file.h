/*
 * Finding what was stripped from a file: its separate debug file, the
 * supplementary file dwz made for many of those, and the symbol table that
 * distributions hide, compressed, in .gnu_debugdata.
 *
 * A debug file is found by build-id in DIR/.build-id/xx/yyyy.debug, then by
 * the name in .gnu_debuglink beside the file, in .debug/ beside it and below
 * each DIR. It is believed when both carry the same build-id, or, where one
 * has none, when the CRC of its content is the one the link demands.
 */
#ifndef SYMBOLIZER_DEBUG_FILE_H
#define SYMBOLIZER_DEBUG_FILE_H

#include <stdbool.h>

#include <elfutils/libdw.h>

#include "profiler/base/status.h"
#include "symbolizer/image.h"

struct sym_debug_search {
    const struct sym_image *image; /* the file that was stripped */
    const char *path;              /* its path as the target saw it */
    char *const *dirs;             /* ended by NULL */
};

/*
 * Open the debug file into `debug`.
 *
 *   returns  false when there is none; `problem` then has the reason if a
 *            candidate was there and had to be refused
 */
bool sym_debug_find(
    const struct sym_debug_search *search, struct sym_image *debug,
    struct diag *problem);

/* Open the file that `dwarf`, read from `image`, names in .gnu_debugaltlink. */
bool sym_debug_find_supplement(
    const struct sym_image *image, Dwarf *dwarf, char *const *dirs,
    struct sym_image *supplement, struct diag *problem);

/* Inflate .gnu_debugdata (xz) into an image of its own. */
bool sym_debug_open_embedded(
    const struct sym_image *image, struct sym_image *embedded,
    struct diag *problem);

#endif
