/*
 * Copies of files that nobody could find any more when names are looked up,
 * after the program's end: deleted, replaced, in a file system that only the
 * program sees; and those without a build-id, of which nobody could say whether
 * the file by that name is still the one that ran.
 *
 * A file that is found by its name when it is first seen is watched from then
 * on, and copied when it loses the name, as long as some process has it mapped.
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

/* Where the runtime of a process writes down the names of code it makes. */
struct prof_kept_runtime {
    uint32_t pid;
    uint32_t inner_pid; /* as the process itself sees it */
    int tmp;            /* its /tmp, by O_PATH; -1: it is ours */
    uint32_t user;      /* whose files it writes */
};

struct prof_kept_files {
    int watch;              /* of inotify(7); -1: nobody watches */
    struct table watched;   /* struct watched_file */
    struct table by_module; /* uint32_t: 1 + place in watched, or 0 */
    struct table runtimes;  /* struct prof_kept_runtime */
    struct table copies;    /* struct kept_file */
    uint64_t disk_bytes, memory_bytes; /* in use */
};

void prof_kept_files_init(struct prof_kept_files *kept);
void prof_kept_files_fini(struct prof_kept_files *kept);

/* Begin to watch files. A descriptor that is readable when there is something
   for prof_kept_files_run(), or -1. */
int prof_kept_files_watch(struct prof_kept_files *kept);

/* Copy what has lost its name since. Never waits. */
void prof_kept_files_run(struct prof_kept_files *kept);

/*
 * A module of the profile was found in process `pid`: keep its file if need
 * be, now or later. Costs the opening of a file, once per module.
 *
 *   path  its name as the program sees it
 */
void prof_kept_files_consider(
    struct prof_kept_files *kept, uint32_t module, bool has_build_id,
    uint32_t pid, const struct prof_maps_line *line, const char *path);

/* The descriptor of the module's copy, or -1. */
int prof_kept_files_find(const struct prof_kept_files *kept, uint32_t module);

/*
 * Process `pid` has code in memory: remember, while it lives, what it calls
 * itself and where its /tmp is.
 */
void prof_kept_files_meet_runtime(struct prof_kept_files *kept, uint32_t pid);

/* NULL when the process was never met, or `kept` is NULL. */
const struct prof_kept_runtime *prof_kept_files_runtime(
    const struct prof_kept_files *kept, uint32_t pid);

#endif
