/*
 * Copies of files that nobody could find any more when names are looked up,
 * after the program's end: deleted, replaced, in a file system that only the
 * program sees; and those without a build-id, of which nobody could say whether
 * the file by that name is still the one that ran.
 *
 * They are copies, not descriptors of the files: those would keep the
 * program's file systems busy. They have no name, lie in /var/tmp or in memory,
 * and go with the collector.
 */
#ifndef PROFILER_COLLECTOR_KEPT_FILES_H
#define PROFILER_COLLECTOR_KEPT_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/table.h"
#include "profiler/collector/maps.h"

struct prof_kept_files {
    struct table copies;               /* struct kept_file */
    uint32_t seen;                     /* modules below it were considered */
    uint64_t disk_bytes, memory_bytes; /* in use */
};

void prof_kept_files_init(struct prof_kept_files *kept);
void prof_kept_files_fini(struct prof_kept_files *kept);

/*
 * A module of the profile was found in process `pid`: keep its file if need
 * be. Costs the opening of a file, once per module.
 *
 *   path  its name as the program sees it
 */
void prof_kept_files_consider(
    struct prof_kept_files *kept, uint32_t module, bool has_build_id,
    uint32_t pid, const struct prof_maps_line *line, const char *path);

/* The descriptor of the module's copy, or -1. */
int prof_kept_files_find(const struct prof_kept_files *kept, uint32_t module);

#endif
