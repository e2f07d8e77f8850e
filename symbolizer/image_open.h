/* Opening an ELF file, be it on disk or in memory. */
#ifndef SYMBOLIZER_IMAGE_OPEN_H
#define SYMBOLIZER_IMAGE_OPEN_H

#include <stddef.h>

#include "profiler/base/status.h"
#include "symbolizer/image.h"

/*
 * Open an ELF file of this machine's byte order. The file is mapped when only
 * root or this user may change it; any other is read, for whoever truncates a
 * mapped file kills the reader with SIGBUS.
 *
 *   errors   SYSTEM; MALFORMED; UNSUPPORTED (not a regular file, other byte
 *            order); LIMIT (too large to read); NO_MEMORY
 *   cleanup  sym_image_close(), which accepts a failed or zeroed image
 */
MUST_CHECK enum status sym_image_open(
    struct sym_image *image, const char *path, struct diag *diag);

/* The same from a copy of `bytes`; `path` is only a name. */
MUST_CHECK enum status sym_image_open_memory(
    struct sym_image *image, const char *path, const void *bytes,
    size_t bytes_count, struct diag *diag);

/* The same from heap memory, which the image takes even when it fails. */
MUST_CHECK enum status sym_image_adopt(
    struct sym_image *image, const char *path, void *bytes, size_t bytes_count,
    struct diag *diag);

#endif
