/* Processes by pid or name. */
#include "tools/process_list.h"

#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exporters/text.h"

enum { NAME_BYTES = 256, SHOWN_MAX = 5 };

static bool add_id(struct process_list *list, uint32_t id)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->ids[i] == id)
            return true;
    }
    if (list->count == PROCESS_LIST_MAX)
        return false;
    list->ids[list->count++] = id;
    return true;
}

/* A whole number above 0 and nothing else. */
static bool parse_id(const char *text, uint32_t *id)
{
    char *end;
    if (!isdigit((unsigned char)text[0]))
        return false;
    unsigned long value = strtoul(text, &end, 10);
    if (*end != '\0' || value == 0 || value > INT32_MAX)
        return false;
    *id = (uint32_t)value;
    return true;
}

static bool has_name(uint32_t pid, const char *name)
{
    char path[64], text[PATH_MAX] = "";
    (void)snprintf(path, sizeof path, "/proc/%" PRIu32 "/comm", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    bool is_read = fgets(text, sizeof text, file) != NULL;
    (void)fclose(file);
    text[strcspn(text, "\n")] = '\0';
    if (is_read && strcmp(text, name) == 0)
        return true;

    (void)snprintf(path, sizeof path, "/proc/%" PRIu32 "/exe", pid);
    ssize_t bytes = readlink(path, text, sizeof text - 1);
    text[bytes > 0 ? bytes : 0] = '\0';
    return bytes > 0 && strcmp(exp_text_base_name(text), name) == 0;
}

/* "1, 2, 3": those of the list, so many that a person reads them. */
static void list_ids(const struct process_list *list, char *text, size_t bytes)
{
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < list->count && used < bytes; i++) {
        int got = snprintf(
            text + used, bytes - used, i < SHOWN_MAX ? "%s%" PRIu32 : "%s...",
            i > 0 ? ", " : "", list->ids[i]);
        used += got > 0 ? (size_t)got : 0;
        if (i == SHOWN_MAX)
            break;
    }
}

static enum status find_by_name(
    struct process_list *list, const char *name, struct diag *diag)
{
    struct process_list found = {.count = 0};
    DIR *folder = opendir("/proc");
    if (folder == NULL)
        return fail(diag, STATUS_SYSTEM, "opendir '/proc'");
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        uint32_t pid;
        if (parse_id(entry->d_name, &pid) && pid != (uint32_t)getpid() &&
            has_name(pid, name))
            (void)add_id(&found, pid);
    }
    (void)closedir(folder);
    if (found.count == 0)
        return fail(
            diag, STATUS_USAGE, "no process that runs is called '%.200s'",
            name);
    if (found.count > 1) {
        char ids[128];
        list_ids(&found, ids, sizeof ids);
        return fail(
            diag, STATUS_USAGE,
            "%" PRIu32
            " processes are called '%.200s': choose by -p PID, of %s",
            found.count, name, ids);
    }
    if (!add_id(list, found.ids[0]))
        return fail(diag, STATUS_LIMIT, "too many processes");
    return STATUS_OK;
}

enum status process_list_add(
    struct process_list *list, const char *text, struct diag *diag)
{
    char name[NAME_BYTES];
    for (const char *at = text;; at += strcspn(at, ",") + 1) {
        size_t bytes = strcspn(at, ",");
        if (bytes == 0 || bytes >= sizeof name)
            return fail(
                diag, STATUS_USAGE,
                "'%.200s' is not a list of processes: -p PID,NAME", text);
        memcpy(name, at, bytes);
        name[bytes] = '\0';
        uint32_t pid;
        enum status status = STATUS_OK;
        if (!parse_id(name, &pid))
            status = find_by_name(list, name, diag);
        else if (!add_id(list, pid))
            status = fail(diag, STATUS_LIMIT, "too many processes");
        if (status != STATUS_OK || at[bytes] == '\0')
            return status;
    }
}

bool process_list_add_threads(struct process_list *list, const char *text)
{
    char number[NAME_BYTES];
    for (const char *at = text;; at += strcspn(at, ",") + 1) {
        size_t bytes = strcspn(at, ",");
        uint32_t tid;
        if (bytes == 0 || bytes >= sizeof number)
            return false;
        memcpy(number, at, bytes);
        number[bytes] = '\0';
        if (!parse_id(number, &tid) || !add_id(list, tid))
            return false;
        if (at[bytes] == '\0')
            return true;
    }
}
