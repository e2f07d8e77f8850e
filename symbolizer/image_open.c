/* Opening an ELF file; see the header. */
#include "symbolizer/image_open.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <elfutils/libdwelf.h>

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
