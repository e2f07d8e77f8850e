/* Where runtimes wrote down the names of the code they made. */
#include "tools/jit_names.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* The process an anonymous module belongs to; see prof_address_space. */
static bool pid_of(
    const struct prof_profile *profile, uint32_t module, uint32_t *pid)
{
    const struct prof_module *row = prof_profile_module(profile, module);
    return sscanf(
               prof_profile_text(profile, row->path), "anon:%" SCNu32, pid) ==
           1;
}

/* The pid that the process itself sees: the last of those in NSpid. */
static uint32_t inner_pid(uint32_t pid)
{
    char path[64], line[256];
    uint32_t found = pid;
    (void)snprintf(path, sizeof path, "/proc/%" PRIu32 "/status", pid);
    FILE *status = fopen(path, "re");
    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        const char *last = strrchr(line, '\t');
        if (strncmp(line, "NSpid:", 6) == 0 && last != NULL)
            (void)sscanf(last, "%" SCNu32, &found);
    }
    if (status != NULL)
        (void)fclose(status);
    return found;
}

/* Add the file; whether it was there. */
static bool add(struct sym_jit_map *map, const char *path, enum status *status)
{
    enum status added = sym_jit_map_add_file(map, path, NULL);
    if (added == STATUS_NO_MEMORY)
        *status = added;
    return added == STATUS_OK;
}

/* "/tmp/<before>PID<after>" as the process sees it, else as we do. */
static void add_from_tmp(
    struct sym_jit_map *map, uint32_t pid, const char *before,
    const char *after, enum status *status)
{
    char path[128];
    (void)snprintf(
        path, sizeof path, "/proc/%" PRIu32 "/root/tmp/%s%" PRIu32 "%s", pid,
        before, inner_pid(pid), after);
    if (add(map, path, status))
        return;
    (void)snprintf(
        path, sizeof path, "/tmp/%s%" PRIu32 "%s", before, pid, after);
    (void)add(map, path, status);
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
    enum status *status)
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
            !add(map, inner, status))
            (void)add(map, path, status);
    }
}

enum status jit_names_read(
    struct sym_jit_map *map, const struct prof_profile *profile,
    uint32_t module)
{
    uint32_t pid;
    enum status status = STATUS_OK;
    *map = (struct sym_jit_map){0};
    if (!pid_of(profile, module, &pid))
        return STATUS_OK;
    add_from_tmp(map, pid, "perf-", ".map", &status);
    add_from_tmp(map, pid, "jit-", ".dump", &status);
    add_mapped(map, profile, pid, &status);
    if (status == STATUS_OK && !sym_jit_map_finish(map))
        status = STATUS_NO_MEMORY;
    return status;
}
