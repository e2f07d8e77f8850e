/*
 * Relocatable files (.o, kernel modules): where they would be loaded is not
 * decided, and what depends on it, down to the names of source files, is zero
 * until relocations are applied.
 */
#ifndef SYMBOLIZER_RELOCATE_H
#define SYMBOLIZER_RELOCATE_H

#include <stddef.h>

#include <gelf.h>

struct sym_image;

/*
 * Give every section of the image a place of its own, code first, from 0 on;
 * and make symbols, debug sections that are not compressed, and .eh_frame say
 * so, in the image's bytes. For a file that is not relocatable, or of another
 * processor, nothing is done. Damaged relocations are passed over.
 */
void sym_relocate(const struct sym_image *image);

/* The same for one section's bytes that were compressed until now. */
void sym_relocate_inflated(
    const struct sym_image *image, Elf_Scn *section, void *bytes, size_t count);

#endif
