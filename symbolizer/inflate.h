/*
 * Debug sections without their compression.
 *
 * libdw would inflate every section of a file, whether it will be read or not,
 * and of the methods it knows only zlib. Here the sections that symbolizing
 * needs are inflated, by zlib or Zstandard, into an ELF image of their own.
 */
#ifndef SYMBOLIZER_INFLATE_H
#define SYMBOLIZER_INFLATE_H

#include <stdbool.h>

#include "profiler/base/status.h"
#include "symbolizer/image.h"

/* Whether debug sections of the file are compressed. */
bool sym_inflate_is_needed(const struct sym_image *image);

/*
 * Make an image of the debug sections of `image`, all of them plain. It has no
 * segments and no symbols.
 *
 *   errors   MALFORMED, LIMIT (sizes nobody can mean), UNSUPPORTED (a method
 *            that is not known, a 32-bit file), NO_MEMORY
 */
MUST_CHECK enum status sym_inflate(
    const struct sym_image *image, struct sym_image *inflated,
    struct diag *diag);

#endif
