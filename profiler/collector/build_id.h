/*
 * Build-ids of the files a target has mapped: read from their PT_NOTE
 * segments, once per file; and copies of files that could not be found later.
 * The files are the target's and untrusted: they are
 * read, never mapped, and every size is bounded.
 */
#ifndef PROFILER_COLLECTOR_BUILD_ID_H
#define PROFILER_COLLECTOR_BUILD_ID_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/table.h"
#include "profiler/collector/kept_files.h"

#define PROF_BUILD_ID_MAX 20

struct prof_build_id {
    uint64_t device, inode; /* the file's identity, for the cache */
    uint32_t bytes;         /* 0: the file has none, or cannot be read */
    uint8_t id[PROF_BUILD_ID_MAX];
};

struct prof_build_ids {
    struct table known; /* struct prof_build_id */
    struct index by_file;
    struct prof_kept_files kept;
};

void prof_build_ids_init(struct prof_build_ids *ids);
void prof_build_ids_fini(struct prof_build_ids *ids);

/*
 * The build-id of the file mapped at [start, end) of process `pid`, whose path
 * in the target is `path`. Tried are /proc/PID/map_files, the file that is
 * mapped for certain, then /proc/PID/root with the same device and inode.
 */
struct prof_build_id prof_build_id_of_mapping(
    struct prof_build_ids *ids, uint32_t pid, uint64_t start, uint64_t end,
    const char *path, uint64_t device, uint64_t inode);

/* Find NT_GNU_BUILD_ID in a file; `found->bytes` is 0 without one. */
void prof_build_id_read(int fd, struct prof_build_id *found);

/* The same in memory, for the vDSO: `bytes` of an ELF image at `image`. */
void prof_build_id_read_image(
    const void *image, size_t bytes, struct prof_build_id *found);

#endif
