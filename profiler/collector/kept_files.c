/* Copies of files that could not be found later. */
#include "profiler/collector/kept_files.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/base/proc.h"
#include "profiler/collector/process_files.h"

/* All of them together; what does not fit has addresses for names. */
#define DISK_LIMIT_BYTES   (UINT64_C(512) << 20)
#define MEMORY_LIMIT_BYTES (UINT64_C(16) << 20)

enum { COPIES_LIMIT = 256, RUNTIMES_LIMIT = 256 };

struct kept_file {
    uint32_t module;
    int fd;
};

struct watched_file {
    int number; /* inotify's; -1: it is not watched */
    bool has_build_id;
    uint32_t module;
    uint32_t pid; /* the last process that was seen to have it mapped */
    char *path;
    struct prof_maps_line line; /* there; its path is the one above */
};

void prof_kept_files_init(struct prof_kept_files *kept)
{
    *kept = (struct prof_kept_files){
        .watch = -1,
        .watched = {.row_bytes = sizeof(struct watched_file)},
        .by_module = {.row_bytes = sizeof(uint32_t)},
        .copies = {.row_bytes = sizeof(struct kept_file)},
        .runtimes = {.row_bytes = sizeof(struct prof_kept_runtime)}};
}

void prof_kept_files_fini(struct prof_kept_files *kept)
{
    for (uint32_t i = 0; i < kept->copies.count; i++)
        (void)close(((struct kept_file *)table_row(&kept->copies, i))->fd);
    table_fini(&kept->copies);
    for (uint32_t i = 0; i < kept->watched.count; i++)
        free(((struct watched_file *)table_row(&kept->watched, i))->path);
    table_fini(&kept->watched);
    table_fini(&kept->by_module);
    if (kept->watch >= 0)
        (void)close(kept->watch);
    for (uint32_t i = 0; i < kept->runtimes.count; i++) {
        const struct prof_kept_runtime *row = table_row(&kept->runtimes, i);
        if (row->tmp >= 0)
            (void)close(row->tmp);
    }
    table_fini(&kept->runtimes);
}

/* ---- copies ---- */

/* Somewhere to write to, where there is room for so much; -1: nowhere. */
static int make_room(struct prof_kept_files *kept, uint64_t bytes)
{
    if (bytes <= DISK_LIMIT_BYTES - kept->disk_bytes) {
        int fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (fd >= 0) {
            kept->disk_bytes += bytes;
            return fd;
        }
    }
    if (bytes > MEMORY_LIMIT_BYTES - kept->memory_bytes)
        return -1;
    int fd = memfd_create("watchfire", MFD_CLOEXEC);
    if (fd >= 0)
        kept->memory_bytes += bytes;
    return fd;
}

static bool copy(int from, int to, uint64_t bytes)
{
    off_t at = 0;
    while ((uint64_t)at < bytes) {
        if (sendfile(to, from, &at, bytes - (uint64_t)at) <= 0)
            return false;
    }
    return true;
}

static void keep(
    struct prof_kept_files *kept, uint32_t module, int from, uint64_t bytes)
{
    if (kept->copies.count >= COPIES_LIMIT)
        return;
    struct kept_file file = {.module = module, .fd = make_room(kept, bytes)};
    if (file.fd < 0)
        return;
    /* Half a file would have half of the names, or another's. */
    if (!copy(from, file.fd, bytes) ||
        table_add(&kept->copies, &file) == TABLE_NONE)
        (void)close(file.fd);
}

/* ---- names that may go ---- */

int prof_kept_files_watch(struct prof_kept_files *kept)
{
    kept->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    return kept->watch;
}

/* Copy the file unless it is found by its name; whether that is settled. */
static bool settle(struct prof_kept_files *kept, struct watched_file *file)
{
    struct stat mapped, named;
    int fd = prof_maps_open_file(file->pid, &file->line);
    if (fd < 0)
        return false;
    bool is_regular = fstat(fd, &mapped) == 0 && S_ISREG(mapped.st_mode);
    bool is_found = is_regular && stat(file->path, &named) == 0 &&
                    named.st_dev == mapped.st_dev &&
                    named.st_ino == mapped.st_ino;
    bool is_needed = is_regular && (!is_found || !file->has_build_id);
    if (is_needed)
        keep(kept, file->module, fd, (uint64_t)mapped.st_size);
    (void)close(fd);
    return is_needed || !is_regular;
}

void prof_kept_files_run(struct prof_kept_files *kept)
{
    char bytes[4096] __attribute__((aligned(8)));
    ssize_t count;
    while (kept->watch >= 0 &&
           (count = read(kept->watch, bytes, sizeof bytes)) > 0) {
        for (ssize_t at = 0;
             at + (ssize_t)sizeof(struct inotify_event) <= count;) {
            struct inotify_event event;
            memcpy(&event, bytes + at, sizeof event);
            at += (ssize_t)(sizeof event + event.len);
            for (uint32_t i = 0; i < kept->watched.count; i++) {
                struct watched_file *file = table_row(&kept->watched, i);
                if (file->number == event.wd && settle(kept, file))
                    file->number = -1;
            }
        }
    }
}

/* Where a module is watched, made if need be; 0: nowhere. */
static uint32_t *place_of(struct prof_kept_files *kept, uint32_t module)
{
    static const uint32_t nowhere;
    while (kept->by_module.count <= module) {
        if (table_add(&kept->by_module, &nowhere) == TABLE_NONE)
            return NULL;
    }
    return table_row(&kept->by_module, module);
}

/* Watch a file whose name leads to it, until it does not. */
static void watch(struct prof_kept_files *kept, struct watched_file *file)
{
    if (kept->watch >= 0)
        file->number = inotify_add_watch(
            kept->watch, file->path, IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF);
    /* It may have gone between the look at it and this. */
    if (settle(kept, file))
        file->number = -1;
}

void prof_kept_files_consider(
    struct prof_kept_files *kept, uint32_t module, bool has_build_id,
    uint32_t pid, const struct prof_maps_line *line, const char *path)
{
    uint32_t *place = place_of(kept, module);
    if (place == NULL)
        return;
    if (*place != 0) {
        struct watched_file *known = table_row(&kept->watched, *place - 1);
        known->pid = pid;
        known->line = *line;
        known->line.path = known->path;
        return;
    }
    struct watched_file file = {
        .number = -1,
        .has_build_id = has_build_id,
        .module = module,
        .pid = pid,
        .path = strdup(path),
        .line = *line};
    if (file.path == NULL)
        return;
    file.line.path = file.path;
    uint32_t id = table_add(&kept->watched, &file);
    if (id == TABLE_NONE) {
        free(file.path);
        return;
    }
    *place = id + 1;
    struct watched_file *added = table_row(&kept->watched, id);
    if (!settle(kept, added))
        watch(kept, added);
}

/* ---- finding ---- */

int prof_kept_files_find(const struct prof_kept_files *kept, uint32_t module)
{
    for (uint32_t i = 0; i < kept->copies.count; i++) {
        const struct kept_file *file = table_row(&kept->copies, i);
        if (file->module == module)
            return file->fd;
    }
    return -1;
}

/* ---- runtimes ---- */

/* The process's /tmp, unless it is the one that we see. */
static int open_tmp(uint32_t pid)
{
    char path[64];
    struct stat theirs, ours;
    (void)snprintf(path, sizeof path, "/proc/%" PRIu32 "/root/tmp", pid);
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &theirs) == 0 && stat("/tmp", &ours) == 0 &&
        theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

const struct prof_kept_runtime *prof_kept_files_runtime(
    const struct prof_kept_files *kept, uint32_t pid)
{
    for (uint32_t i = 0; kept != NULL && i < kept->runtimes.count; i++) {
        const struct prof_kept_runtime *row = table_row(&kept->runtimes, i);
        if (row->pid == pid)
            return row;
    }
    return NULL;
}

void prof_kept_files_meet_runtime(struct prof_kept_files *kept, uint32_t pid)
{
    if (kept->runtimes.count >= RUNTIMES_LIMIT ||
        prof_kept_files_runtime(kept, pid) != NULL)
        return;
    uint32_t inner_pid = proc_inner_tid(pid, pid);
    struct prof_kept_runtime row = {
        .pid = pid,
        .inner_pid = inner_pid != 0 ? inner_pid : pid,
        .tmp = open_tmp(pid),
        .user = prof_process_files_status(pid, "Uid")};
    if (table_add(&kept->runtimes, &row) == TABLE_NONE && row.tmp >= 0)
        (void)close(row.tmp);
}
