/* Telling files apart. */
#include "symbolizer/fingerprint.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "symbolizer/index_format.h"

enum { SAMPLES = 16, SAMPLE_BYTES = 256 };

static uint64_t joined(uint64_t hash, const void *bytes, size_t count)
{
    uint64_t pair[] = {hash, sym_index_checksum(bytes, count)};
    return sym_index_checksum(pair, sizeof pair);
}

/* Bytes of a segment from all over it; a debug file has none. */
static uint64_t add_samples(
    uint64_t hash, const struct sym_image *image,
    const struct sym_segment *segment)
{
    if (segment->offset >= image->bytes_count)
        return hash;
    uint64_t bytes = image->bytes_count - segment->offset;
    if (segment->file_bytes < bytes)
        bytes = segment->file_bytes;
    const char *start = (const char *)image->bytes + segment->offset;
    for (uint64_t i = 0; i < SAMPLES && bytes > 0; i++) {
        uint64_t at = bytes / SAMPLES * i;
        uint64_t count = bytes - at < SAMPLE_BYTES ? bytes - at : SAMPLE_BYTES;
        hash = joined(hash, start + at, count);
    }
    return hash;
}

static uint64_t add_identity(uint64_t hash, const struct stat *identity)
{
    const uint64_t numbers[] = {
        identity->st_dev, identity->st_ino, (uint64_t)identity->st_size,
        (uint64_t)identity->st_mtim.tv_sec,
        (uint64_t)identity->st_mtim.tv_nsec};
    return joined(hash, numbers, sizeof numbers);
}

bool sym_fingerprint_of(
    const struct sym_image *image, struct sym_fingerprint *fingerprint)
{
    bool has_code = false;
    uint64_t key = joined(0, image->build_id, image->build_id_bytes);
    for (uint32_t i = 0; i < image->segments.count; i++) {
        const struct sym_segment *segment = table_row(&image->segments, i);
        const uint64_t numbers[] = {
            segment->vaddr, segment->memory_bytes, segment->is_executable};
        key = joined(key, numbers, sizeof numbers);
        if (segment->is_executable)
            key = add_samples(key, image, segment);
        has_code |= segment->is_executable;
    }
    if (image->build_id_bytes == 0)
        key = add_identity(key, &image->identity);
    fingerprint->key = key;

    char *at = fingerprint->name;
    for (size_t i = 0; i < image->build_id_bytes; i++)
        at += snprintf(at, 3, "%02x", image->build_id[i]);
    (void)snprintf(
        at, 24, "%s%016" PRIx64, at == fingerprint->name ? "" : "-", key);
    return has_code && image->identity.st_ino != 0;
}
