/* Writing CFI by hand: an .eh_frame or .debug_frame, entry by entry. */
#ifndef TESTS_PROFILER_UNWIND_SECTION_H
#define TESTS_PROFILER_UNWIND_SECTION_H

#include <stdint.h>

#include "profiler/unwind/sig_eh_frame.h"

enum { SECTION_BYTES_MAX = 4096 };

#define SECTION_ADDRESS UINT64_C(0x10000)

struct section {
    uint8_t bytes[SECTION_BYTES_MAX];
    uint32_t size;
    uint32_t entry; /* offset of the entry being written */
};

/* Begin an entry; section_end() writes its length. */
void section_begin(struct section *section);
void section_end(struct section *section);

void section_uint(struct section *section, uint64_t value, unsigned width);
void section_bytes(struct section *section, const void *bytes, uint32_t size);

/*
 * A CIE as gcc writes it: CFA = rsp + 8, return address at CFA - 8; with the
 * given version and augmentation, and `data` as augmentation data after a 'z'.
 *
 *   returns  its offset
 */
uint32_t section_cie(
    struct section *section, uint8_t version, const char *augmentation,
    const void *data, uint8_t data_size);

/* An FDE of such a CIE with pointers of sdata4, pcrel; no augmentation data.*/
void section_fde(
    struct section *section, uint32_t cie, uint64_t start, uint32_t size,
    const void *program, uint32_t program_size);

/* What has been written, as a source without an index. */
struct prof_cfi_source section_source(const struct section *section);

#endif
