/* Program headers to texts; see the header. */
#include "profiler/unwind/module_phdr.h"

#include <stddef.h>

#include "profiler/unwind/fde_index.h"

static const Elf64_Phdr *find_header(
    const struct prof_loaded_image *image, uint32_t type)
{
    for (uint32_t i = 0; i < image->header_count; i++)
        if (image->headers[i].p_type == type)
            return &image->headers[i];
    return NULL;
}

static const Elf64_Phdr *segment_of(
    const struct prof_loaded_image *image, uint64_t vaddr)
{
    for (uint32_t i = 0; i < image->header_count; i++) {
        const Elf64_Phdr *header = &image->headers[i];
        if (header->p_type == PT_LOAD &&
            vaddr - header->p_vaddr < header->p_filesz)
            return header;
    }
    return NULL;
}

bool prof_loaded_frames(
    const struct prof_loaded_image *image, struct prof_frames_range *range)
{
    const Elf64_Phdr *frames = find_header(image, PT_GNU_EH_FRAME);
    if (frames == NULL)
        return false;
    const Elf64_Phdr *segment = segment_of(image, frames->p_vaddr);
    if (segment == NULL)
        return false;
    *range = (struct prof_frames_range){
        .offset = segment->p_offset,
        .vaddr = segment->p_vaddr,
        .size_bytes = segment->p_filesz,
    };
    return true;
}

static uint32_t find_build_id(
    const uint8_t *at, const uint8_t *end, const uint8_t **id)
{
    while (end - at >= (ptrdiff_t)sizeof(Elf64_Nhdr)) {
        const Elf64_Nhdr *note = (const void *)at;
        uint64_t name_bytes = ((uint64_t)note->n_namesz + 3) & ~UINT64_C(3);
        uint64_t bytes = ((uint64_t)note->n_descsz + 3) & ~UINT64_C(3);
        const uint8_t *name = at + sizeof *note;
        if (name_bytes + bytes > (uint64_t)(end - name))
            return 0;
        if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 &&
            name[0] == 'G' && name[1] == 'N' && name[2] == 'U') {
            *id = name + name_bytes;
            return note->n_descsz;
        }
        at = name + name_bytes + bytes;
    }
    return 0;
}

uint32_t prof_loaded_build_id(
    const struct prof_loaded_image *image, const uint8_t **id)
{
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < image->header_count && bytes == 0; i++) {
        const Elf64_Phdr *header = &image->headers[i];
        const uint8_t *notes =
            (const uint8_t *)(uintptr_t)(image->bias + header->p_vaddr);
        if (header->p_type == PT_NOTE)
            bytes = find_build_id(notes, notes + header->p_memsz, id);
    }
    return bytes;
}

/*
 * .eh_frame by way of its header. Its size is nowhere in the program headers:
 * the end of the segment bounds it.
 */
static bool find_eh_frame(
    const struct prof_loaded_image *image, struct prof_cfi_source *source)
{
    struct prof_frames_range range;
    if (!prof_loaded_frames(image, &range) ||
        (image->frames == NULL && !image->is_permanent))
        return false;
    const uint8_t *local =
        image->frames != NULL
            ? image->frames
            : (const uint8_t *)(uintptr_t)(image->bias + range.vaddr);
    const Elf64_Phdr *found = find_header(image, PT_GNU_EH_FRAME);
    uint64_t into = found->p_vaddr - range.vaddr;
    struct prof_eh_frame_header header = {
        .bytes = local + into,
        .size_bytes = found->p_memsz < range.size_bytes - into
                          ? found->p_memsz
                          : range.size_bytes - into,
        .address = image->bias + found->p_vaddr,
    };
    uint64_t address = prof_eh_frame_address(&header);
    uint64_t offset = address - image->bias - range.vaddr;
    if (address == 0 || offset >= range.size_bytes)
        return false;
    *source = (struct prof_cfi_source){
        .bytes = local + offset,
        .size_bytes = range.size_bytes - offset,
        .address = address,
    };
    (void)prof_fde_index_adopt(source, &header);
    return true;
}

uint32_t prof_loaded_texts(
    const struct prof_loaded_image *image, struct prof_text *texts,
    uint32_t capacity)
{
    struct prof_cfi_source eh_frame = {.bytes = NULL};
    (void)find_eh_frame(image, &eh_frame);
    uint32_t count = 0;
    for (uint32_t i = 0; i < image->header_count && count < capacity; i++) {
        const Elf64_Phdr *header = &image->headers[i];
        if (header->p_type != PT_LOAD || (header->p_flags & PF_X) == 0)
            continue;
        uint64_t start = image->bias + header->p_vaddr;
        texts[count++] = (struct prof_text){
            .start = start,
            .end = start + header->p_memsz,
            .eh_frame = eh_frame,
            .bias = image->bias,
            .code = image->is_permanent && (header->p_flags & PF_R)
                        ? (const uint8_t *)(uintptr_t)start
                        : NULL,
        };
    }
    return count;
}
