/* Which file a module is read from, and whether it is the one that ran. */
#include "symbolizer/source.h"

#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "symbolizer/bytes.h"
#include "symbolizer/image_open.h"

/* ---- which file ---- */

static void write_hex(
    const uint8_t *bytes, size_t count, char text[2 * SYM_BUILD_ID_BYTES + 1])
{
    text[0] = '\0';
    for (size_t i = 0; i < count && i < SYM_BUILD_ID_BYTES; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

/* A file that is not what ran must not be used: close it and say so. */
static enum status check_build_id(
    struct sym_image *image, const struct sym_source *source, struct diag *diag)
{
    if (source->build_id_bytes == 0 ||
        sym_image_has_build_id(image, source->build_id, source->build_id_bytes))
        return STATUS_OK;
    char wanted[2 * SYM_BUILD_ID_BYTES + 1], found[sizeof wanted];
    write_hex(source->build_id, source->build_id_bytes, wanted);
    write_hex(image->build_id, image->build_id_bytes, found);
    enum status status = fail(
        diag, STATUS_MISMATCH,
        "'%s' is another build than the one that ran: build-id %s, wanted %s",
        image->path, found[0] ? found : "absent", wanted);
    sym_image_close(image);
    return status;
}

static enum status open_path(
    struct sym_image *image, const char *path, const struct sym_source *source,
    struct diag *diag)
{
    enum status status = sym_image_open(image, path, diag);
    return status == STATUS_OK ? check_build_id(image, source, diag) : status;
}

static enum status open_file(
    struct sym_image *image, const struct sym_source *source, struct diag *diag)
{
    const char *first = source->path, *second = source->alternative;
    if (source->build_id_bytes == 0 && second != NULL) {
        first = source->alternative;
        second = source->path;
    }
    enum status status = open_path(image, first, source, diag);
    if (status == STATUS_OK || status == STATUS_NO_MEMORY || second == NULL)
        return status;

    struct diag second_diag = {0};
    enum status second_status = open_path(image, second, source, &second_diag);
    /* Two failures: a wrong build explains more than a missing file. */
    if (second_status != STATUS_OK && second_status != STATUS_NO_MEMORY &&
        (status == STATUS_MISMATCH || second_status != STATUS_MISMATCH))
        return status;
    if (second_status != STATUS_OK && diag != NULL)
        *diag = second_diag;
    return second_status;
}

/* The vDSO of this process: the kernel gives all processes the same one. */
static enum status open_own_vdso(
    struct sym_image *image, const struct sym_source *source, struct diag *diag)
{
    const ElfW(Ehdr) *header = (const void *)getauxval(AT_SYSINFO_EHDR);
    if (header == NULL)
        return fail(diag, STATUS_UNSUPPORTED, "this kernel has no vDSO");
    size_t bytes =
        (size_t)header->e_shoff + (size_t)header->e_shnum * header->e_shentsize;
    return sym_image_open_memory(image, source->path, header, bytes, diag);
}

static enum status open_image(
    struct sym_image *image, const struct sym_source *source, struct diag *diag)
{
    if (source->kind == SYM_FILE && source->image == NULL)
        return open_file(image, source, diag);
    enum status status = source->image == NULL
                             ? open_own_vdso(image, source, diag)
                             : sym_image_open_memory(
                                   image, source->path, source->image,
                                   source->image_bytes, diag);
    return status == STATUS_OK ? check_build_id(image, source, diag) : status;
}

/* ---- the kernel ---- */

/* The build-id of the kernel that runs; 0 bytes when it does not tell. */
static size_t read_kernel_build_id(uint8_t id[SYM_BUILD_ID_BYTES])
{
    uint8_t notes[4096];
    int fd = open("/sys/kernel/notes", O_RDONLY | O_CLOEXEC);
    ssize_t count = fd >= 0 ? read(fd, notes, sizeof notes) : 0;
    if (fd >= 0)
        (void)close(fd);
    struct sym_bytes bytes =
        sym_bytes_of(notes, count > 0 ? (size_t)count : 0, 0);
    while (sym_bytes_left(&bytes) > 0 && !bytes.is_bad) {
        uint64_t name_bytes = sym_bytes_fixed(&bytes, 4);
        uint64_t id_bytes = sym_bytes_fixed(&bytes, 4);
        uint64_t type = sym_bytes_fixed(&bytes, 4);
        struct sym_bytes name =
            sym_bytes_take(&bytes, (name_bytes + 3) & ~UINT64_C(3));
        struct sym_bytes value =
            sym_bytes_take(&bytes, (id_bytes + 3) & ~UINT64_C(3));
        if (bytes.is_bad || type != NT_GNU_BUILD_ID || name_bytes != 4 ||
            memcmp(name.at, "GNU", 4) != 0 || id_bytes > SYM_BUILD_ID_BYTES)
            continue;
        memcpy(id, value.at, id_bytes);
        return id_bytes;
    }
    return 0;
}

/* Of another kernel this one's list would name everything, and all wrong. */
static enum status check_kernel(
    const struct sym_source *source, struct diag *diag)
{
    uint8_t id[SYM_BUILD_ID_BYTES];
    if (source->build_id_bytes == 0 ||
        strcmp(source->path, SYM_KALLSYMS_PATH) != 0)
        return STATUS_OK;
    size_t bytes = read_kernel_build_id(id);
    return bytes == 0 || (bytes == source->build_id_bytes &&
                          memcmp(id, source->build_id, bytes) == 0)
               ? STATUS_OK
               : fail(
                     diag, STATUS_MISMATCH,
                     "'%s' is of another kernel than the one that ran",
                     source->path);
}

enum status sym_source_open(
    struct sym_image *image, const struct sym_source *source, struct diag *diag)
{
    return source->kind == SYM_KERNEL ? check_kernel(source, diag)
                                      : open_image(image, source, diag);
}
