/*
 * One image of a running process, read without its loader: its headers from
 * memory, its CFI from the file again; see scan.h. For normal context.
 */
#ifndef PROFILER_AGENT_SCAN_IMAGE_H
#define PROFILER_AGENT_SCAN_IMAGE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/unwind/module_phdr.h"

/* More segments than any linker writes; an image with more is left out. */
#define PROF_SCAN_HEADERS_MAX  32
#define PROF_SCAN_MAPPINGS_MAX 4096

/* What was mapped for the walker to read, and the way to others' memory. */
struct prof_scan_files {
    int memory; /* /proc/self/mem */
    uint64_t copied_bytes;
    uint32_t count;
    struct prof_scan_mapping {
        void *base;
        size_t bytes;
    } mappings[PROF_SCAN_MAPPINGS_MAX];
};

struct prof_scan_image {
    uint64_t base, header_offset; /* of the program headers */
    struct prof_loaded_image loaded;
    Elf64_Phdr headers[PROF_SCAN_HEADERS_MAX]; /* loaded.headers */
};

/* `files` is zeroed; false when memory may not be read. */
bool prof_scan_files_open(struct prof_scan_files *files);

/* What was mapped stays. */
void prof_scan_files_close(struct prof_scan_files *files);

/* Unmap it all. */
void prof_scan_files_release(struct prof_scan_files *files);

/* Copy memory that may vanish meanwhile; the bytes that could be read. */
size_t prof_scan_memory_read(
    const struct prof_scan_files *files, uint64_t address, void *bytes,
    size_t size);

/* The image whose first byte is at `base`; false when none is there. */
bool prof_scan_image_read(
    const struct prof_scan_files *files, uint64_t base,
    struct prof_scan_image *image);

/*
 * One text for every executable segment, at most `capacity`; how many.
 *
 *   path  of the file; NULL: there is none (the vDSO)
 */
uint32_t prof_scan_image_texts(
    struct prof_scan_files *files, struct prof_scan_image *image,
    const char *path, struct prof_text *texts, uint32_t capacity);

#endif
