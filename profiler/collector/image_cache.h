/*
 * The ELF files that targets have mapped, opened once for their unwinding
 * information, whichever processes use them.
 */
#ifndef PROFILER_COLLECTOR_IMAGE_CACHE_H
#define PROFILER_COLLECTOR_IMAGE_CACHE_H

#include <stdint.h>

#include "profiler/base/table.h"
#include "profiler/collector/maps.h"
#include "profiler/unwind/image.h"

struct prof_image_cache {
    struct table images; /* struct cached_image */
    struct index by_file;
    void *vdso; /* a copy of ours; every process has the same */
};

void prof_image_cache_init(struct prof_image_cache *cache);
void prof_image_cache_fini(struct prof_image_cache *cache);

/*
 * The image of a mapped file, or of the vDSO; valid until fini.
 *
 *   returns  NULL: it has none, or it cannot be read
 */
struct prof_image *prof_image_cache_get(
    struct prof_image_cache *cache, uint32_t pid,
    const struct prof_maps_line *line);

#endif
