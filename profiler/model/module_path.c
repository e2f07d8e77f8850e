/* What modules are called; see the header. */
#include "profiler/model/module_path.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

size_t prof_module_path_bytes(const char *path, size_t bytes)
{
    static const char deleted[] = " (deleted)";
    size_t suffix = sizeof deleted - 1;
    bool is_deleted =
        bytes > suffix && memcmp(path + bytes - suffix, deleted, suffix) == 0;
    return is_deleted ? bytes - suffix : bytes;
}

uint32_t prof_module_path_of_memory(struct prof_profile *profile, uint32_t pid)
{
    char path[32];
    (void)snprintf(path, sizeof path, "anon:%" PRIu32, pid);
    return prof_profile_string(profile, path);
}

bool prof_module_path_is_memory(const char *path, uint32_t *pid)
{
    return sscanf(path, "anon:%" SCNu32, pid) == 1;
}
