/* Build-ids, from the PT_NOTE segments of files and images. */
#include "profiler/collector/build_id.h"

#include <elf.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "profiler/collector/maps.h"

enum { SEGMENTS_MAX = 64, NOTES_BYTES_MAX = 4096 };

/* Where the bytes come from: a file, or an image in memory. */
struct source {
    int fd;
    const char *image; /* NULL: read from fd */
    size_t image_bytes;
};

static bool read_at(
    const struct source *from, void *to, size_t bytes, uint64_t offset)
{
    if (from->image == NULL)
        return pread(from->fd, to, bytes, (off_t)offset) == (ssize_t)bytes;
    if (offset > from->image_bytes || bytes > from->image_bytes - offset)
        return false;
    memcpy(to, from->image + offset, bytes);
    return true;
}

/* Walk the notes of one segment: gABI, "Note Section". */
static bool find_in_notes(
    const unsigned char *notes, size_t bytes, struct prof_build_id *found)
{
    size_t at = 0;
    while (bytes - at >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr note;
        memcpy(&note, notes + at, sizeof note);
        at += sizeof note;
        size_t name_bytes = ((size_t)note.n_namesz + 3) & ~(size_t)3;
        size_t value_bytes = ((size_t)note.n_descsz + 3) & ~(size_t)3;
        if (name_bytes > bytes - at || value_bytes > bytes - at - name_bytes)
            return false;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
            memcmp(notes + at, "GNU", 4) == 0 && note.n_descsz > 0 &&
            note.n_descsz <= PROF_BUILD_ID_MAX) {
            found->bytes = note.n_descsz;
            memcpy(found->id, notes + at + name_bytes, note.n_descsz);
            return true;
        }
        at += name_bytes + value_bytes;
    }
    return false;
}

static void find_in_elf(const struct source *from, struct prof_build_id *found)
{
    Elf64_Ehdr header;
    found->bytes = 0;
    if (!read_at(from, &header, sizeof header, 0) ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_phentsize != sizeof(Elf64_Phdr))
        return;

    unsigned count =
        header.e_phnum < SEGMENTS_MAX ? header.e_phnum : SEGMENTS_MAX;
    for (unsigned i = 0; i < count; i++) {
        Elf64_Phdr segment;
        unsigned char notes[NOTES_BYTES_MAX];
        if (!read_at(
                from, &segment, sizeof segment,
                header.e_phoff + i * sizeof segment))
            return;
        if (segment.p_type != PT_NOTE || segment.p_filesz > sizeof notes ||
            !read_at(from, notes, segment.p_filesz, segment.p_offset))
            continue;
        if (find_in_notes(notes, segment.p_filesz, found))
            return;
    }
}

void prof_build_id_read(int fd, struct prof_build_id *found)
{
    struct source source = {.fd = fd};
    find_in_elf(&source, found);
}

void prof_build_id_read_image(
    const void *image, size_t bytes, struct prof_build_id *found)
{
    struct source source = {.fd = -1, .image = image, .image_bytes = bytes};
    find_in_elf(&source, found);
}

void prof_build_ids_init(struct prof_build_ids *ids)
{
    *ids = (struct prof_build_ids){
        .known = {.row_bytes = sizeof(struct prof_build_id)}};
    prof_kept_files_init(&ids->kept);
}

void prof_build_ids_fini(struct prof_build_ids *ids)
{
    table_fini(&ids->known);
    index_fini(&ids->by_file);
    prof_kept_files_fini(&ids->kept);
}

static bool same_file(const void *owner, uint32_t id, const void *key)
{
    const struct prof_build_ids *ids = owner;
    const struct prof_build_id *known = table_row(&ids->known, id);
    const struct prof_build_id *wanted = key;
    return known->device == wanted->device && known->inode == wanted->inode;
}

struct prof_build_id prof_build_id_of_mapping(
    struct prof_build_ids *ids, uint32_t pid, uint64_t start, uint64_t end,
    const char *path, uint64_t device, uint64_t inode)
{
    struct prof_build_id wanted = {.device = device, .inode = inode};
    uint32_t hash = hash_u64(inode ^ device << 40);
    uint32_t id = index_find(&ids->by_file, hash, same_file, ids, &wanted);
    if (id != TABLE_NONE)
        return *(struct prof_build_id *)table_row(&ids->known, id);

    const struct prof_maps_line line = {
        .start = start,
        .end = end,
        .device = device,
        .inode = inode,
        .path = path};
    int fd = prof_maps_open_file(pid, &line);
    if (fd < 0)
        return wanted;
    prof_build_id_read(fd, &wanted);
    (void)close(fd);

    id = table_add(&ids->known, &wanted);
    if (id != TABLE_NONE)
        (void)index_add(&ids->by_file, hash, id);
    return wanted;
}
