/*
 * From the program headers of a loaded image to what the walker wants to know
 * of it (normal context; no libc, no allocation): what dl_iterate_phdr() gives
 * in the target, or a file's headers elsewhere.
 *
 *     struct prof_loaded_image image = {
 *         .bias = info->dlpi_addr,
 *         .headers = info->dlpi_phdr,
 *         .header_count = info->dlpi_phnum,
 *     };
 *     prof_loaded_frames(&image, &frames);
 *     image.frames = ... a mapping of that part of the file ...;
 *     count += prof_loaded_texts(&image, texts + count, room);
 */
#ifndef PROFILER_UNWIND_MODULE_PHDR_H
#define PROFILER_UNWIND_MODULE_PHDR_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/unwind/sig_modules.h"

struct prof_loaded_image {
    uint64_t bias; /* pc - ELF address */
    const Elf64_Phdr *headers;
    uint32_t header_count;
    bool is_permanent; /* never unmapped: the program itself, what it was
                          linked with, the vDSO. Only then is its text read */
    /*
     * A copy or mapping of the range prof_loaded_frames() names. NULL for the
     * image itself, which only a permanent one may be.
     */
    const uint8_t *frames;
};

/* The segment .eh_frame_hdr and .eh_frame lie in, in ELF terms. */
struct prof_frames_range {
    uint64_t offset; /* in the file */
    uint64_t vaddr;
    uint64_t size_bytes;
};

/* False when the image has no .eh_frame_hdr. */
bool prof_loaded_frames(
    const struct prof_loaded_image *image, struct prof_frames_range *range);

/*
 * The image's build-id, by its notes, which are read from the image itself.
 *
 *   id       out: stays valid as long as the image
 *   returns  its size in bytes; 0 when there is none
 */
uint32_t prof_loaded_build_id(
    const struct prof_loaded_image *image, const uint8_t **id);

/*
 * One text for every executable segment, at most `capacity`.
 *
 *   texts    borrow the image's frames; without CFI where there is none, or
 *            none that may be read
 *   returns  how many were written
 */
uint32_t prof_loaded_texts(
    const struct prof_loaded_image *image, struct prof_text *texts,
    uint32_t capacity);

#endif
