/* Where runtimes wrote down the names of the code they made. */
#include "tools/jit_names.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "profiler/model/module_path.h"
#include "symbolizer/jit_file.h"

/* The process an anonymous module belongs to. */
static bool pid_of(
    const struct prof_profile *profile, uint32_t module, uint32_t *pid)
{
    const struct prof_module *row = prof_profile_module(profile, module);
    return prof_module_path_is_memory(
        prof_profile_text(profile, row->path), pid);
}

/* Add the file; whether it was there. */
static bool add(
    struct sym_jit_map *map, const char *path, uint32_t user,
    enum status *status)
{
    enum status added = sym_jit_map_add_file(map, path, user, NULL);
    if (added == STATUS_NO_MEMORY)
        *status = added;
    return added == STATUS_OK;
}

/* "/tmp/<before>PID<after>" as the process saw it, else as we do. */
static void add_from_tmp(
    struct sym_jit_map *map, const struct prof_kept_runtime *runtime,
    const char *before, const char *after, enum status *status)
{
    char path[128], folder[64] = "/tmp";
    if (runtime->tmp >= 0)
        (void)snprintf(folder, sizeof folder, "/proc/self/fd/%d", runtime->tmp);
    (void)snprintf(
        path, sizeof path, "%s/%s%" PRIu32 "%s", folder, before,
        runtime->inner_pid, after);
    if (add(map, path, runtime->user, status))
        return;
    (void)snprintf(
        path, sizeof path, "/tmp/%s%" PRIu32 "%s", before, runtime->pid, after);
    (void)add(map, path, runtime->user, status);
}

static bool is_jitdump(const char *path)
{
    const char *slash = strrchr(path, '/');
    uint32_t pid;
    int used = 0;
    return slash != NULL &&
           sscanf(slash, "/jit-%" SCNu32 ".dump%n", &pid, &used) == 1 &&
           used > 0 && slash[used] == '\0';
}

/* Jitdumps that the process mapped. */
static void add_mapped(
    struct sym_jit_map *map, const struct prof_profile *profile, uint32_t pid,
    uint32_t user, enum status *status)
{
    for (uint32_t i = 0; i < prof_profile_mapping_count(profile); i++) {
        const struct prof_mapping *row = prof_profile_mapping(profile, i);
        const char *path = prof_profile_text(
            profile, prof_profile_module(profile, row->module)->path);
        char inner[PATH_MAX];
        if (prof_profile_process(profile, row->process)->pid != pid ||
            !is_jitdump(path))
            continue;
        int length = snprintf(
            inner, sizeof inner, "/proc/%" PRIu32 "/root%s", pid, path);
        if (length < 0 || (size_t)length >= sizeof inner ||
            !add(map, inner, user, status))
            (void)add(map, path, user, status);
    }
}

enum status jit_names_read(
    struct sym_jit_map *map, const struct prof_profile *profile,
    uint32_t module, const struct prof_kept_files *kept)
{
    uint32_t pid;
    enum status status = STATUS_OK;
    if (!pid_of(profile, module, &pid))
        return STATUS_OK;
    struct prof_kept_files now;
    prof_kept_files_init(&now);
    const struct prof_kept_runtime *runtime =
        prof_kept_files_runtime(kept, pid);
    if (runtime == NULL) {
        prof_kept_files_meet_runtime(&now, pid);
        runtime = prof_kept_files_runtime(&now, pid);
    }
    if (runtime != NULL) {
        add_from_tmp(map, runtime, "perf-", ".map", &status);
        add_from_tmp(map, runtime, "jit-", ".dump", &status);
    }
    /* Of one that nobody has met: root's and ours alone. */
    add_mapped(map, profile, pid, runtime != NULL ? runtime->user : 0, &status);
    prof_kept_files_fini(&now);
    if (status == STATUS_OK && !sym_jit_map_finish(map))
        status = STATUS_NO_MEMORY;
    return status;
}
