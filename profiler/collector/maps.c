/* /proc/PID/maps and the files it names. */
#include "profiler/collector/maps.h"

#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

char *prof_maps_read(uint32_t pid)
{
    char name[64], *text = NULL;
    size_t room = 0;
    (void)snprintf(name, sizeof name, "/proc/%" PRIu32 "/maps", pid);
    FILE *maps = fopen(name, "re");
    if (maps == NULL)
        return NULL;
    /* No NUL occurs in it: this reads to the end. */
    if (getdelim(&text, &room, '\0', maps) <= 0) {
        free(text);
        text = NULL;
    }
    (void)fclose(maps);
    return text;
}

bool prof_maps_parse(const char *text, struct prof_maps_line *line)
{
    unsigned major, minor;
    int path_at = 0;
    if (sscanf(
            text,
            "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 " %n",
            &line->start, &line->end, line->permissions, &line->offset, &major,
            &minor, &line->inode, &path_at) < 7 ||
        path_at == 0 || line->end <= line->start)
        return false;
    line->device = makedev(major, minor);
    line->path = text + path_at;
    return true;
}

bool prof_maps_is_code(const struct prof_maps_line *line)
{
    return line->permissions[2] == 'x' && strcmp(line->path, "[vsyscall]") != 0;
}

static bool is_file(int fd, const struct prof_maps_line *wanted)
{
    struct stat stat;
    return fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode) &&
           stat.st_dev == wanted->device && stat.st_ino == wanted->inode;
}

static int open_if_same(
    const char *name, int flags, const struct prof_maps_line *line)
{
    int fd = open(name, flags);
    if (fd >= 0 && !is_file(fd, line)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

int prof_maps_open_file(uint32_t pid, const struct prof_maps_line *line)
{
    char name[PATH_MAX + 64];
    /* O_NONBLOCK: never wait for a fifo that took the file's place. */
    const int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    (void)snprintf(
        name, sizeof name, "/proc/%" PRIu32 "/map_files/%" PRIx64 "-%" PRIx64,
        pid, line->start, line->end);
    int fd = open(name, flags);
    if (fd >= 0)
        return fd;

    (void)snprintf(
        name, sizeof name, "/proc/%" PRIu32 "/root%s", pid, line->path);
    fd = open_if_same(name, flags, line);
    if (fd >= 0)
        return fd;
    /* Without privilege a deleted program is still to be had. */
    (void)snprintf(name, sizeof name, "/proc/%" PRIu32 "/exe", pid);
    fd = open_if_same(name, flags, line);
    /* A process that has ended has neither; most had our root. */
    return fd >= 0 || line->path[0] != '/'
               ? fd
               : open_if_same(line->path, flags, line);
}

bool prof_maps_is_memory(uint32_t pid, const struct prof_maps_line *line)
{
    static const char *const made[] = {
        "/memfd:", "/anon_hugepage", "/dev/zero", "/SYSV"};
    char magic[SELFMAG];
    if (line->path[0] != '/')
        return strcmp(line->path, "[vdso]") != 0;
    bool is_made = false;
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++)
        is_made |= strncmp(line->path, made[i], strlen(made[i])) == 0;
    if (!is_made)
        return false;
    int fd = prof_maps_open_file(pid, line);
    bool is_elf = fd >= 0 && pread(fd, magic, SELFMAG, 0) == SELFMAG &&
                  memcmp(magic, ELFMAG, SELFMAG) == 0;
    if (fd >= 0)
        (void)close(fd);
    return !is_elf;
}
