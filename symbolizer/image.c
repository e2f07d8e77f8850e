/* Opening an ELF file, and what its headers say. */
#include "symbolizer/image.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <elfutils/libdwelf.h>

#include "symbolizer/bytes.h"
#include "symbolizer/relocate.h"

/* The kernel runs no file with more. */
enum { SEGMENT_LIMIT = 65536 / sizeof(Elf64_Phdr) };

/* What is read to the heap, that is, from files of strangers. */
#define READ_LIMIT_BYTES (UINT64_C(1) << 31)

static bool is_safe_to_map(const struct stat *identity)
{
    bool is_owner_trusted =
        identity->st_uid == 0 || identity->st_uid == geteuid();
    return is_owner_trusted && (identity->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static enum status map_file(
    struct sym_image *image, int fd, const char *path, struct diag *diag)
{
    void *bytes = mmap(
        NULL, image->bytes_count, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_NORESERVE, fd, 0);
    if (bytes == MAP_FAILED)
        return fail(diag, STATUS_SYSTEM, "mmap '%s'", path);
    image->bytes = bytes;
    image->is_mapped = true;
    return STATUS_OK;
}

static enum status read_file(
    struct sym_image *image, int fd, const char *path, struct diag *diag)
{
    if (image->bytes_count > READ_LIMIT_BYTES)
        return fail(
            diag, STATUS_LIMIT, "'%s' is too large to be read (%zu bytes)",
            path, image->bytes_count);
    image->bytes = malloc(image->bytes_count);
    if (image->bytes == NULL)
        return fail(
            diag, STATUS_NO_MEMORY, "no memory for '%s' (%zu bytes)", path,
            image->bytes_count);

    size_t done = 0;
    while (done < image->bytes_count) {
        ssize_t got = pread(
            fd, (char *)image->bytes + done, image->bytes_count - done,
            (off_t)done);
        if (got < 0)
            return fail(diag, STATUS_SYSTEM, "read '%s'", path);
        if (got == 0)
            break;
        done += (size_t)got;
    }
    image->bytes_count = done;
    return STATUS_OK;
}

static enum status load_file(
    struct sym_image *image, const char *path, struct diag *diag)
{
    /* O_NONBLOCK: a FIFO under a module's name must not hold us up. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return fail(diag, STATUS_SYSTEM, "open '%s'", path);

    enum status status;
    if (fstat(fd, &image->identity) != 0) {
        status = fail(diag, STATUS_SYSTEM, "stat '%s'", path);
    } else if (!S_ISREG(image->identity.st_mode)) {
        status =
            fail(diag, STATUS_UNSUPPORTED, "'%s' is not a regular file", path);
    } else if (image->identity.st_size == 0) {
        status = fail(diag, STATUS_MALFORMED, "'%s' is empty", path);
    } else {
        image->bytes_count = (size_t)image->identity.st_size;
        status = is_safe_to_map(&image->identity)
                     ? map_file(image, fd, path, diag)
                     : read_file(image, fd, path, diag);
    }
    close(fd); /* a mapping outlives the descriptor */
    return status;
}

static bool add_segment(struct sym_image *image, const GElf_Phdr *header)
{
    if (header->p_type != PT_LOAD)
        return true;
    struct sym_segment segment = {
        .offset = header->p_offset,
        .file_bytes = header->p_filesz,
        .vaddr = header->p_vaddr,
        .memory_bytes = header->p_memsz,
        .is_executable = (header->p_flags & PF_X) != 0};
    return table_add(&image->segments, &segment) != TABLE_NONE;
}

static enum status read_segments(struct sym_image *image, struct diag *diag)
{
    image->segments.row_bytes = sizeof(struct sym_segment);
    size_t count;
    if (elf_getphdrnum(image->elf, &count) != 0)
        count = 0;
    if (count > SEGMENT_LIMIT)
        return fail(
            diag, STATUS_LIMIT, "'%s' has %zu program headers", image->path,
            count);
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr header;
        if (gelf_getphdr(image->elf, (int)i, &header) == NULL)
            break;
        if (!add_segment(image, &header))
            return fail(diag, STATUS_NO_MEMORY, "no memory for segments");
    }
    return STATUS_OK;
}

static void find_section_names(struct sym_image *image)
{
    size_t id;
    Elf_Scn *section = elf_getshdrstrndx(image->elf, &id) == 0
                           ? elf_getscn(image->elf, id)
                           : NULL;
    Elf_Data *data = section ? elf_rawdata(section, NULL) : NULL;
    if (data != NULL && data->d_buf != NULL)
        image->section_names = (struct sym_section_bytes){
            .start = data->d_buf, .count = data->d_size};
}

static void read_build_id(struct sym_image *image)
{
    const void *bytes;
    ssize_t count = dwelf_elf_gnu_build_id(image->elf, &bytes);
    if (count <= 0)
        return;
    image->build_id_bytes =
        (size_t)count < SYM_BUILD_ID_BYTES ? (size_t)count : SYM_BUILD_ID_BYTES;
    memcpy(image->build_id, bytes, image->build_id_bytes);
}

/* Make sense of image->bytes. */
static enum status parse(struct sym_image *image, struct diag *diag)
{
    elf_version(EV_CURRENT);
    image->elf = elf_memory(image->bytes, image->bytes_count);
    if (image->elf != NULL && elf_kind(image->elf) == ELF_K_AR)
        return fail(
            diag, STATUS_UNSUPPORTED,
            "'%s' is an archive; 'ar x' takes its members out", image->path);
    if (image->elf == NULL || elf_kind(image->elf) != ELF_K_ELF)
        return fail(
            diag, STATUS_MALFORMED, "'%s' is not an ELF file", image->path);

    GElf_Ehdr header;
    if (gelf_getehdr(image->elf, &header) == NULL)
        return fail(
            diag, STATUS_MALFORMED, "'%s' has a damaged ELF header",
            image->path);
    const uint16_t one = 1;
    unsigned char native =
        *(const unsigned char *)&one ? ELFDATA2LSB : ELFDATA2MSB;
    if (header.e_ident[EI_DATA] != native)
        return fail(
            diag, STATUS_UNSUPPORTED, "'%s' has another byte order",
            image->path);

    find_section_names(image);
    if (header.e_type == ET_REL)
        sym_relocate(image);
    read_build_id(image);
    return read_segments(image, diag);
}

static enum status set_path(
    struct sym_image *image, const char *path, struct diag *diag)
{
    image->path = strdup(path);
    return image->path ? STATUS_OK
                       : fail(diag, STATUS_NO_MEMORY, "no memory for a path");
}

/* Nothing of a failed open remains but a zeroed image. */
static enum status settle(struct sym_image *image, enum status status)
{
    if (status != STATUS_OK)
        sym_image_close(image);
    return status;
}

enum status sym_image_open(
    struct sym_image *image, const char *path, struct diag *diag)
{
    *image = (struct sym_image){0};
    enum status status = set_path(image, path, diag);
    if (status == STATUS_OK)
        status = load_file(image, path, diag);
    if (status == STATUS_OK)
        status = parse(image, diag);
    return settle(image, status);
}

enum status sym_image_adopt(
    struct sym_image *image, const char *path, void *bytes, size_t bytes_count,
    struct diag *diag)
{
    *image = (struct sym_image){.bytes = bytes, .bytes_count = bytes_count};
    enum status status = set_path(image, path, diag);
    if (status == STATUS_OK)
        status = parse(image, diag);
    return settle(image, status);
}

enum status sym_image_open_memory(
    struct sym_image *image, const char *path, const void *bytes,
    size_t bytes_count, struct diag *diag)
{
    *image = (struct sym_image){0};
    void *copy = malloc(bytes_count + 1); /* never of size 0 */
    if (copy == NULL)
        return fail(
            diag, STATUS_NO_MEMORY, "no memory for '%s' (%zu bytes)", path,
            bytes_count);
    memcpy(copy, bytes, bytes_count);
    return sym_image_adopt(image, path, copy, bytes_count, diag);
}

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
