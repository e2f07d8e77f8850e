/* One ELF file: its headers, its segments and its identity. */
#ifndef SYMBOLIZER_IMAGE_H
#define SYMBOLIZER_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <gelf.h>

#include "profiler/base/status.h"
#include "profiler/base/table.h"

#define SYM_BUILD_ID_BYTES 64 /* longer ones are cut; SHA-1 has 20 */

/* A loaded part of the file (PT_LOAD). */
struct sym_segment {
    uint64_t offset, file_bytes;
    uint64_t vaddr, memory_bytes;
    bool is_executable;
};

/* The content of a section, or a part of it. */
struct sym_section_bytes {
    const void *start; /* NULL: there is none */
    size_t count;
};

struct sym_image {
    Elf *elf;
    char *path;  /* the file that was opened, for messages and searches */
    void *bytes; /* the whole file, private and writable: libelf patches
                    the headers of sections it inflates in place, and
                    relocations are applied there */
    size_t bytes_count;
    bool is_mapped;       /* else on the heap */
    struct stat identity; /* all 0 for an image from memory */
    struct table segments;
    struct sym_section_bytes section_names;
    size_t build_id_bytes;
    uint8_t build_id[SYM_BUILD_ID_BYTES];
};

/* Of a failed or zeroed image as well. */
void sym_image_close(struct sym_image *image);

/* The name of a section, "" when it has none. */
const char *sym_image_section_name(
    const struct sym_image *image, const GElf_Shdr *header);

/* The section of that name with its bytes in the file; NULL when absent. */
Elf_Scn *sym_image_section(
    const struct sym_image *image, const char *name, GElf_Shdr *header);

/* Its bytes as they are in the file; no bytes when absent. */
struct sym_section_bytes sym_image_bytes(
    const struct sym_image *image, const char *name);

/* Whether the file has a full symbol table. */
bool sym_image_has_symbols(const struct sym_image *image);

/* File offset -> vaddr; an executable segment wins over the others. */
bool sym_image_vaddr(
    const struct sym_image *image, uint64_t offset, uint64_t *vaddr);

/* From an address to the end of what is loaded with it from the file; no bytes
   when it is in no segment. */
struct sym_section_bytes sym_image_loaded(
    const struct sym_image *image, uint64_t vaddr);

/*
 * Whether code can be at `vaddr`: an executable segment is loaded there. Debug
 * information of functions the linker threw away fails this: it stays behind
 * with addresses near 0, 1 or the largest one. Files without segments (.o)
 * may have code anywhere.
 */
bool sym_image_is_code(const struct sym_image *image, uint64_t vaddr);

/*
 * How far the code of `image` was moved after `debug` was split from it, as
 * prelink does: what is to be added to the addresses of `debug`. 0 where
 * nothing tells.
 */
uint64_t sym_image_shift(
    const struct sym_image *image, const struct sym_image *debug);

/* Whether the file carries this build-id, and not none at all. */
bool sym_image_has_build_id(
    const struct sym_image *image, const uint8_t *bytes, size_t count);

#endif
