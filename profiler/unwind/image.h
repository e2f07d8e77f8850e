/*
 * An ELF file's unwinding information, for walks outside the target: samples
 * of a recording, and other processes' stacks.
 *
 * The file is read, never mapped: it may be truncated or replaced meanwhile.
 */
#ifndef PROFILER_UNWIND_IMAGE_H
#define PROFILER_UNWIND_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/unwind/sig_modules.h"

struct prof_image;

/*
 * Open the ELF file `fd`, which stays the caller's and must stay open as long
 * as the image.
 *
 *   image    out: prof_image_close() it. One without any CFI is fine
 *   name     for messages
 */
MUST_CHECK enum status prof_image_open(
    int fd, const char *name, struct prof_image **image, struct diag *diag);

/* The same, from a whole file in memory (the vDSO), borrowed until close. */
MUST_CHECK enum status prof_image_open_memory(
    void *bytes, size_t size_bytes, const char *name, struct prof_image **image,
    struct diag *diag);

void prof_image_close(struct prof_image *image);

/*
 * The load bias (pc - ELF address), from one executable mapping of the file.
 *
 *   start, offset  as in /proc/PID/maps
 *   returns        false when no executable segment is at that offset
 */
bool prof_image_bias(
    const struct prof_image *image, uint64_t start, uint64_t offset,
    uint64_t *bias);

/* Where the program begins, as an ELF address; 0: nowhere. */
uint64_t prof_image_entry(const struct prof_image *image);

/* Where the function begins that has the ELF address, by the file's symbols;
 * 0: they do not tell. */
uint64_t prof_image_function(struct prof_image *image, uint64_t address);

/* Whether Go's linker made it: then frame pointers are kept everywhere, and the
 * first frame of a stack has none. */
bool prof_image_is_go(const struct prof_image *image);

/* Make the table of rows that later prof_image_texts() refer to. */
MUST_CHECK enum status prof_image_build_rows(
    struct prof_image *image, struct diag *diag);

/* That table, or NULL; valid until close. */
const struct prof_row_table *prof_image_rows(const struct prof_image *image);

/*
 * One text for every executable segment, as loaded at `bias`.
 *
 *   texts    at most `capacity`; they borrow from the image
 *   returns  how many were written
 */
uint32_t prof_image_texts(
    const struct prof_image *image, uint64_t bias, struct prof_text *texts,
    uint32_t capacity);

#endif
