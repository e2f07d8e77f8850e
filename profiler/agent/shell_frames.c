/*
 * Keeping frames; see the header.
 *
 * Small ones are copied into places of a block of ours: a mapping costs a
 * page, and a program with 500 small plugins would pay 4 MiB for theirs. The
 * frames of larger modules are mapped from the file, and not looked at before
 * a walk needs them.
 *
 * The loaded image itself is not touched for it: pages that the program never
 * looked at would count as its memory.
 *
 * That a module is the one it was, and a file the one that is loaded, is told
 * by what names them: the notes with the build-id, else the first page of the
 * frames themselves.
 */
#include "profiler/agent/shell_frames.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE_BYTES = 4096, KEPT_MAX = 1024, SMALL_BYTES = 512 };

struct kept {
    uint64_t bias, name_hash;
    size_t frames_bytes;
    const uint8_t *frames;
    char *map; /* NULL: a place in the block */
    size_t map_bytes;
    bool is_used; /* by the present publication */
};

/* Entry i owns place i of the block. */
static struct kept all[KEPT_MAX];
static uint32_t count; /* entries from here on were never used */
static uint8_t (*block)[SMALL_BYTES];

/* What names a module. */
static struct prof_frames_range name_range(
    const struct prof_loaded_image *image,
    const struct prof_frames_range *frames)
{
    struct prof_frames_range range = *frames;
    const uint8_t *id;
    for (uint32_t i = 0; i < image->header_count; i++) {
        const Elf64_Phdr *header = &image->headers[i];
        if (header->p_type == PT_NOTE && header->p_filesz > 0 &&
            prof_loaded_build_id(image, &id) > 0) {
            range = (struct prof_frames_range){
                header->p_offset, header->p_vaddr, header->p_filesz};
            /* The notes may be several: take those with the build-id. */
            uint64_t start = image->bias + header->p_vaddr;
            if ((uint64_t)(uintptr_t)id - start < header->p_filesz)
                break;
        }
    }
    if (range.size_bytes > PAGE_BYTES)
        range.size_bytes = PAGE_BYTES;
    return range;
}

static const uint8_t *loaded_bytes(
    const struct prof_loaded_image *image,
    const struct prof_frames_range *range)
{
    return (const uint8_t *)(uintptr_t)(image->bias + range->vaddr);
}

/* FNV-1a. */
static uint64_t hash(const uint8_t *bytes, size_t size)
{
    uint64_t value = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++)
        value = (value ^ bytes[i]) * UINT64_C(0x100000001b3);
    return value;
}

static bool is_same_file(
    int fd, const struct prof_loaded_image *image,
    const struct prof_frames_range *name)
{
    uint8_t bytes[PAGE_BYTES];
    return pread(fd, bytes, name->size_bytes, (off_t)name->offset) ==
               (ssize_t)name->size_bytes &&
           memcmp(bytes, loaded_bytes(image, name), name->size_bytes) == 0;
}

static bool map_frames(
    struct kept *kept, const struct prof_frames_range *range, int fd)
{
    uint64_t start = range->offset & ~(uint64_t)(PAGE_BYTES - 1);
    size_t before = range->offset - start;
    char *map = mmap(
        NULL, before + range->size_bytes, PROT_READ, MAP_PRIVATE, fd,
        (off_t)start);
    if (map == MAP_FAILED)
        return false;
    kept->map = map;
    kept->map_bytes = before + range->size_bytes;
    kept->frames = (uint8_t *)map + before;
    return true;
}

static bool copy_frames(
    struct kept *kept, const struct prof_frames_range *range, int fd)
{
    if (block == NULL) {
        void *memory = mmap(
            NULL, sizeof *block * KEPT_MAX, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED)
            return false;
        block = memory;
    }
    uint8_t *place = block[kept - all];
    if (pread(fd, place, range->size_bytes, (off_t)range->offset) !=
        (ssize_t)range->size_bytes)
        return false;
    kept->frames = place;
    return true;
}

static struct kept *find_room(void)
{
    for (uint32_t i = 0; i < count; i++) {
        if (all[i].frames == NULL)
            return &all[i];
    }
    return count < KEPT_MAX ? &all[count++] : NULL;
}

static const uint8_t *keep_new(
    const struct prof_loaded_image *image,
    const struct prof_frames_range *range, const struct prof_frames_range *name,
    const char *path)
{
    struct kept *kept = find_room();
    if (kept == NULL)
        return NULL;
    *kept = (struct kept){
        .bias = image->bias,
        .name_hash = hash(loaded_bytes(image, name), name->size_bytes),
        .frames_bytes = range->size_bytes,
        .is_used = true};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    if (is_same_file(fd, image, name))
        (void)(range->size_bytes <= SMALL_BYTES ? copy_frames(kept, range, fd) : map_frames(kept, range, fd));
    (void)close(fd);
    return kept->frames;
}

void shell_frames_begin(void)
{
    for (uint32_t i = 0; i < count; i++)
        all[i].is_used = false;
}

const uint8_t *shell_frames_keep(
    const struct prof_loaded_image *image, const char *path)
{
    struct prof_frames_range range;
    if (!prof_loaded_frames(image, &range))
        return NULL;
    struct prof_frames_range name = name_range(image, &range);
    uint64_t name_hash = hash(loaded_bytes(image, &name), name.size_bytes);
    for (uint32_t i = 0; i < count; i++) {
        struct kept *kept = &all[i];
        if (kept->frames != NULL && kept->bias == image->bias &&
            kept->name_hash == name_hash &&
            kept->frames_bytes == range.size_bytes) {
            kept->is_used = true;
            return kept->frames;
        }
    }
    return keep_new(image, &range, &name, path);
}

void shell_frames_drop(void)
{
    for (uint32_t i = 0; i < count; i++) {
        if (all[i].is_used || all[i].frames == NULL)
            continue;
        if (all[i].map != NULL)
            (void)munmap(all[i].map, all[i].map_bytes);
        all[i].frames = NULL;
    }
}
