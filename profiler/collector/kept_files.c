/* Copies of files that could not be found later. */
#include "profiler/collector/kept_files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

/* All of them together; what does not fit has addresses for names. */
#define DISK_LIMIT_BYTES   (UINT64_C(512) << 20)
#define MEMORY_LIMIT_BYTES (UINT64_C(16) << 20)

enum { COPIES_LIMIT = 256 };

struct kept_file {
    uint32_t module;
    int fd;
};

void prof_kept_files_init(struct prof_kept_files *kept)
{
    *kept = (struct prof_kept_files){
        .copies = {.row_bytes = sizeof(struct kept_file)}};
}

void prof_kept_files_fini(struct prof_kept_files *kept)
{
    for (uint32_t i = 0; i < kept->copies.count; i++)
        (void)close(((struct kept_file *)table_row(&kept->copies, i))->fd);
    table_fini(&kept->copies);
}

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

void prof_kept_files_consider(
    struct prof_kept_files *kept, uint32_t module, bool has_build_id,
    uint32_t pid, const struct prof_maps_line *line, const char *path)
{
    if (module < kept->seen)
        return;
    kept->seen = module + 1;
    struct stat mapped, named;
    int fd = prof_maps_open_file(pid, line);
    if (fd < 0)
        return;
    if (fstat(fd, &mapped) == 0 && S_ISREG(mapped.st_mode)) {
        bool is_found = stat(path, &named) == 0 &&
                        named.st_dev == mapped.st_dev &&
                        named.st_ino == mapped.st_ino;
        if (!is_found || !has_build_id)
            keep(kept, module, fd, (uint64_t)mapped.st_size);
    }
    (void)close(fd);
}

int prof_kept_files_find(const struct prof_kept_files *kept, uint32_t module)
{
    for (uint32_t i = 0; i < kept->copies.count; i++) {
        const struct kept_file *file = table_row(&kept->copies, i);
        if (file->module == module)
            return file->fd;
    }
    return -1;
}
