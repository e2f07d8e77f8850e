/* CFI by hand; see the header. */
#include "tests/profiler/unwind/section.h"

#include <stdlib.h>
#include <string.h>

void section_bytes(struct section *section, const void *bytes, uint32_t size)
{
    if (size > SECTION_BYTES_MAX - section->size)
        abort();
    memcpy(section->bytes + section->size, bytes, size);
    section->size += size;
}

void section_uint(struct section *section, uint64_t value, unsigned width)
{
    section_bytes(section, &value, width);
}

void section_begin(struct section *section)
{
    section->entry = section->size;
    section_uint(section, 0, 4);
}

void section_end(struct section *section)
{
    while (section->size % 8 != 0)
        section_uint(section, 0, 1);
    uint32_t length = section->size - section->entry - 4;
    memcpy(section->bytes + section->entry, &length, 4);
}

uint32_t section_cie(
    struct section *section, uint8_t version, const char *augmentation,
    const void *data, uint8_t data_size)
{
    static const uint8_t ALIGNMENTS[] = {1, 0x78, 16}; /* code, data; RA */
    static const uint8_t PROGRAM[] = {0x0c, 7, 8, 0x90, 1};
    section_begin(section);
    uint32_t offset = section->entry;
    section_uint(section, 0, 4);
    section_uint(section, version, 1);
    section_bytes(section, augmentation, (uint32_t)strlen(augmentation) + 1);
    if (version == 4)
        section_uint(section, 8, 2); /* addresses of 8 bytes, no segments */
    if (strncmp(augmentation, "eh", 2) == 0)
        section_uint(section, 0, 8);
    section_bytes(section, ALIGNMENTS, sizeof ALIGNMENTS);
    if (strchr(augmentation, 'z') != NULL)
        section_uint(section, data_size, 1);
    section_bytes(section, data, data_size);
    section_bytes(section, PROGRAM, sizeof PROGRAM);
    section_end(section);
    return offset;
}

void section_fde(
    struct section *section, uint32_t cie, uint64_t start, uint32_t size,
    const void *program, uint32_t program_size)
{
    section_begin(section);
    section_uint(section, section->size - cie, 4);
    section_uint(section, start - (SECTION_ADDRESS + section->size), 4);
    section_uint(section, size, 4);
    section_uint(section, 0, 1);
    section_bytes(section, program, program_size);
    section_end(section);
}

struct prof_cfi_source section_source(const struct section *section)
{
    return (struct prof_cfi_source){
        .bytes = section->bytes,
        .size_bytes = section->size,
        .address = SECTION_ADDRESS,
        .text_base = 0x20000,
        .data_base = 0x30000,
    };
}
