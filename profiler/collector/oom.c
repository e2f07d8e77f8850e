/* The OOM killer's count of a control group. */
#include "profiler/collector/oom.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_count(const char *path, uint64_t *count)
{
    static const char name[] = "oom_kill ";
    char line[256];
    bool is_found = false;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    while (!is_found && fgets(line, sizeof line, file) != NULL) {
        is_found = strncmp(line, name, sizeof name - 1) == 0;
        if (is_found)
            *count = strtoull(line + sizeof name - 1, NULL, 10);
    }
    (void)fclose(file);
    return is_found;
}

/*
 * In a name space of control groups, or without one in a container, the mount
 * is where the process is already.
 */
static bool find_file(
    struct prof_oom *oom, const char *mounts, const char *mount,
    const char *group, const char *name)
{
    const char *groups[] = {strcmp(group, "/") == 0 ? "" : group, ""};
    for (int i = 0; i < 2; i++) {
        int length = snprintf(
            oom->path, sizeof oom->path, "%s%s%s/%s", mounts, mount, groups[i],
            name);
        if (length > 0 && (size_t)length < sizeof oom->path &&
            read_count(oom->path, &oom->before))
            return true;
    }
    oom->path[0] = '\0';
    return false;
}

/* Whether "memory" is one of those, which commas separate. */
static bool has_memory(const char *controllers)
{
    static const char name[] = "memory";
    for (const char *at = controllers; at != NULL;
         at = strchr(at, ',') != NULL ? strchr(at, ',') + 1 : NULL) {
        if (strcspn(at, ",") == sizeof name - 1 &&
            strncmp(at, name, sizeof name - 1) == 0)
            return true;
    }
    return false;
}

/* A line is "ID:CONTROLLERS:PATH"; cgroups(7). */
static bool try_line(struct prof_oom *oom, const char *mounts, char *line)
{
    char *controllers = strchr(line, ':');
    char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    if (group == NULL)
        return false;
    *group++ = '\0';
    group[strcspn(group, "\n")] = '\0';
    if (has_memory(controllers + 1))
        return find_file(oom, mounts, "/memory", group, "memory.oom_control");
    if (controllers[1] != '\0')
        return false;
    return find_file(oom, mounts, "", group, "memory.events") ||
           find_file(oom, mounts, "/unified", group, "memory.events");
}

void prof_oom_begin_in(
    struct prof_oom *oom, const char *mounts, const char *path)
{
    char line[PROF_OOM_PATH_BYTES];
    oom->path[0] = '\0';
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return;
    while (fgets(line, sizeof line, file) != NULL &&
           !try_line(oom, mounts, line))
        ;
    (void)fclose(file);
}

void prof_oom_begin(struct prof_oom *oom, uint32_t pid)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%" PRIu32 "/cgroup", pid);
    prof_oom_begin_in(oom, "/sys/fs/cgroup", path);
}

/* ---- the ledger ---- */

void prof_oom_ledger_init(struct prof_oom_ledger *ledger)
{
    *ledger =
        (struct prof_oom_ledger){.groups.row_bytes = sizeof(struct prof_oom)};
}

void prof_oom_ledger_fini(struct prof_oom_ledger *ledger)
{
    table_fini(&ledger->groups);
}

/* NULL when out of memory. */
static struct prof_oom *find_group(
    struct prof_oom_ledger *ledger, const struct prof_oom *oom)
{
    for (uint32_t i = 0; i < ledger->groups.count; i++) {
        struct prof_oom *group = table_row(&ledger->groups, i);
        if (strcmp(group->path, oom->path) == 0)
            return group;
    }
    uint32_t id = table_add(&ledger->groups, oom);
    return id != TABLE_NONE ? table_row(&ledger->groups, id) : NULL;
}

bool prof_oom_has_killed(
    struct prof_oom_ledger *ledger, const struct prof_oom *oom)
{
    uint64_t now;
    if (oom->path[0] == '\0' || !read_count(oom->path, &now))
        return false;
    struct prof_oom *group = find_group(ledger, oom);
    if (group == NULL)
        return now > oom->before;
    if (group->before < oom->before)
        group->before = oom->before;
    if (now <= group->before)
        return false;
    group->before++;
    return true;
}
