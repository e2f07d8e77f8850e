/* Files opened for their unwinding information. */
#include "profiler/collector/image_cache.h"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

/* What is no ELF file is kept as well, so that it is tried once. */
struct cached_image {
    uint64_t device, inode; /* 0, 0: the vDSO */
    int fd;                 /* the image reads from it */
    struct prof_image *image;
};

void prof_image_cache_init(struct prof_image_cache *cache)
{
    *cache = (struct prof_image_cache){
        .images = {.row_bytes = sizeof(struct cached_image)}};
}

void prof_image_cache_fini(struct prof_image_cache *cache)
{
    for (uint32_t i = 0; i < cache->images.count; i++) {
        const struct cached_image *row = table_row(&cache->images, i);
        prof_image_close(row->image);
        if (row->fd >= 0)
            (void)close(row->fd);
    }
    table_fini(&cache->images);
    index_fini(&cache->by_file);
    free(cache->vdso);
}

static bool same_file(const void *owner, uint32_t id, const void *key)
{
    const struct prof_image_cache *cache = owner;
    const struct cached_image *row = table_row(&cache->images, id);
    const struct cached_image *wanted = key;
    return row->device == wanted->device && row->inode == wanted->inode;
}

static void open_vdso(
    struct prof_image_cache *cache, uint64_t bytes, struct cached_image *row)
{
    const void *ours = (const void *)getauxval(AT_SYSINFO_EHDR);
    if (ours == NULL || cache->vdso != NULL)
        return;
    cache->vdso = malloc(bytes);
    if (cache->vdso == NULL)
        return;
    memcpy(cache->vdso, ours, bytes);
    if (prof_image_open_memory(
            cache->vdso, bytes, "[vdso]", &row->image, NULL) != STATUS_OK)
        row->image = NULL;
}

static void open_file(
    uint32_t pid, const struct prof_maps_line *line, struct cached_image *row)
{
    row->fd = prof_maps_open_file(pid, line);
    if (row->fd >= 0 &&
        prof_image_open(row->fd, line->path, &row->image, NULL) != STATUS_OK)
        row->image = NULL;
}

struct prof_image *prof_image_cache_get(
    struct prof_image_cache *cache, uint32_t pid,
    const struct prof_maps_line *line)
{
    bool is_vdso = strcmp(line->path, "[vdso]") == 0;
    if (!is_vdso && line->inode == 0)
        return NULL;
    struct cached_image row = {
        .device = is_vdso ? 0 : line->device,
        .inode = is_vdso ? 0 : line->inode,
        .fd = -1};
    uint32_t hash = hash_u64(row.inode ^ row.device << 40);
    uint32_t id = index_find(&cache->by_file, hash, same_file, cache, &row);
    if (id != TABLE_NONE)
        return ((struct cached_image *)table_row(&cache->images, id))->image;

    if (is_vdso)
        open_vdso(cache, line->end - line->start, &row);
    else
        open_file(pid, line, &row);
    /* Gone with its process, it may be found by way of another one. */
    if (!is_vdso && row.fd < 0)
        return NULL;
    id = table_add(&cache->images, &row);
    if (id == TABLE_NONE || !index_add(&cache->by_file, hash, id)) {
        if (id == TABLE_NONE) {
            prof_image_close(row.image);
            if (row.fd >= 0)
                (void)close(row.fd);
        }
        return NULL;
    }
    return row.image;
}
