/* What the headers of an ELF file say. */
#include "symbolizer/image.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "symbolizer/bytes.h"

void sym_image_close(struct sym_image *image)
{
    if (image->elf != NULL)
        elf_end(image->elf);
    if (image->is_mapped)
        munmap(image->bytes, image->bytes_count);
    else
        free(image->bytes);
    free(image->path);
    table_fini(&image->segments);
    *image = (struct sym_image){0};
}

const char *sym_image_section_name(
    const struct sym_image *image, const GElf_Shdr *header)
{
    return sym_bytes_short_text(sym_bytes_of(
        image->section_names.start, image->section_names.count,
        header->sh_name));
}

Elf_Scn *sym_image_section(
    const struct sym_image *image, const char *name, GElf_Shdr *header)
{
    if (image->elf == NULL)
        return NULL;
    for (Elf_Scn *section = elf_nextscn(image->elf, NULL); section != NULL;
         section = elf_nextscn(image->elf, section)) {
        if (gelf_getshdr(section, header) == NULL)
            return NULL;
        if (strcmp(sym_image_section_name(image, header), name) == 0)
            return header->sh_type == SHT_NOBITS ? NULL : section;
    }
    return NULL;
}

bool sym_image_has_symbols(const struct sym_image *image)
{
    GElf_Shdr header;
    return sym_image_section(image, ".symtab", &header) != NULL;
}

struct sym_section_bytes sym_image_bytes(
    const struct sym_image *image, const char *name)
{
    GElf_Shdr header;
    Elf_Scn *section = sym_image_section(image, name, &header);
    Elf_Data *data = section ? elf_rawdata(section, NULL) : NULL;
    if (data == NULL || data->d_buf == NULL)
        return (struct sym_section_bytes){0};
    return (struct sym_section_bytes){
        .start = data->d_buf, .count = data->d_size};
}

static const struct sym_segment *segment_at(
    const struct sym_image *image, uint64_t offset, bool wants_executable)
{
    for (uint32_t i = 0; i < image->segments.count; i++) {
        const struct sym_segment *segment = table_row(&image->segments, i);
        /* The size in the file, not in memory: the zeroed tail of one segment
           lies over the file offsets of the next. */
        if (offset >= segment->offset &&
            offset - segment->offset < segment->file_bytes &&
            (segment->is_executable || !wants_executable))
            return segment;
    }
    return NULL;
}

bool sym_image_vaddr(
    const struct sym_image *image, uint64_t offset, uint64_t *vaddr)
{
    const struct sym_segment *segment = segment_at(image, offset, true);
    if (segment == NULL)
        segment = segment_at(image, offset, false);
    if (segment == NULL)
        return false;
    *vaddr = segment->vaddr + (offset - segment->offset);
    return true;
}

struct sym_section_bytes sym_image_loaded(
    const struct sym_image *image, uint64_t vaddr)
{
    for (uint32_t i = 0; i < image->segments.count; i++) {
        const struct sym_segment *segment = table_row(&image->segments, i);
        uint64_t distance = vaddr - segment->vaddr;
        if (vaddr < segment->vaddr || distance >= segment->file_bytes ||
            segment->offset > image->bytes_count ||
            segment->file_bytes > image->bytes_count - segment->offset)
            continue;
        return (struct sym_section_bytes){
            .start = (const char *)image->bytes + segment->offset + distance,
            .count = segment->file_bytes - distance};
    }
    return (struct sym_section_bytes){0};
}

bool sym_image_is_code(const struct sym_image *image, uint64_t vaddr)
{
    if (image->segments.count == 0)
        return true;
    /* 0 and 1 mark dead code even where a segment starts at 0. */
    for (uint32_t i = 0; vaddr > 1 && i < image->segments.count; i++) {
        const struct sym_segment *segment = table_row(&image->segments, i);
        if (segment->is_executable && vaddr >= segment->vaddr &&
            vaddr - segment->vaddr < segment->memory_bytes)
            return true;
    }
    return false;
}

enum { LEAST_PAGE_BYTES = 4096 };

/* Where .text is, in a file that need not have its bytes. */
static bool text_vaddr(const struct sym_image *image, uint64_t *vaddr)
{
    GElf_Shdr header;
    for (Elf_Scn *section = elf_nextscn(image->elf, NULL); section != NULL;
         section = elf_nextscn(image->elf, section)) {
        if (gelf_getshdr(section, &header) == NULL)
            return false;
        if (strcmp(sym_image_section_name(image, &header), ".text") == 0) {
            *vaddr = header.sh_addr;
            return true;
        }
    }
    return false;
}

uint64_t sym_image_shift(
    const struct sym_image *image, const struct sym_image *debug)
{
    uint64_t here, there;
    if (image == debug || !text_vaddr(image, &here) ||
        !text_vaddr(debug, &there) || there == 0)
        return 0;
    uint64_t shift = here - there;
    return shift % LEAST_PAGE_BYTES == 0 ? shift : 0;
}

bool sym_image_has_build_id(
    const struct sym_image *image, const uint8_t *bytes, size_t count)
{
    if (count > SYM_BUILD_ID_BYTES)
        count = SYM_BUILD_ID_BYTES;
    return count > 0 && image->build_id_bytes == count &&
           memcmp(image->build_id, bytes, count) == 0;
}
