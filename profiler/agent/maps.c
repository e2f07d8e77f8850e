/* The memory map of our own process; see the header. */
#include "profiler/agent/maps.h"

#include "profiler/agent/sys.h"

#include <fcntl.h>
#include <sys/mman.h>

enum { FIRST_ROOM_BYTES = 1 << 16, ROOM_BYTES_MAX = 1 << 26 };

/* Twice the room, with what was read so far; false when there is none. */
static bool grow(struct prof_maps *maps)
{
    size_t wanted =
        maps->room_bytes == 0 ? FIRST_ROOM_BYTES : 2 * maps->room_bytes;
    if (wanted > ROOM_BYTES_MAX)
        return false;
    long base = maps->text == NULL
                    ? sys_mmap(
                          NULL, wanted, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                    : sys_call4(
                          __NR_mremap, maps->text, maps->room_bytes, wanted,
                          (long)MREMAP_MAYMOVE);
    if (sys_is_error(base))
        return false;
    maps->text = (char *)base;
    maps->room_bytes = wanted;
    return true;
}

static bool read_all(struct prof_maps *maps, int fd)
{
    for (;;) {
        if (maps->bytes == maps->room_bytes && !grow(maps))
            return false;
        long got = sys_call3(
            __NR_read, (long)fd, maps->text + maps->bytes,
            maps->room_bytes - maps->bytes);
        if (got <= 0)
            return got == 0;
        maps->bytes += (size_t)got;
    }
}

bool prof_maps_open(struct prof_maps *maps)
{
    *maps = (struct prof_maps){.text = NULL};
    int fd = (int)sys_call4(
        __NR_openat, (long)AT_FDCWD, "/proc/self/maps",
        (long)(O_RDONLY | O_CLOEXEC), 0L);
    if (fd < 0)
        return false;
    bool is_read = read_all(maps, fd);
    (void)sys_close(fd);
    if (!is_read)
        prof_maps_close(maps);
    return is_read;
}

void prof_maps_close(struct prof_maps *maps)
{
    if (maps->text != NULL)
        (void)sys_munmap(maps->text, maps->room_bytes);
    *maps = (struct prof_maps){.text = NULL};
}

/* Digits up to `end`, which is stepped over; false when there are none. */
static bool parse_hex(const char **text, char end, uint64_t *value)
{
    const char *at = *text;
    for (*value = 0;; at++) {
        unsigned digit = (unsigned char)*at;
        if (digit - '0' < 10)
            *value = *value << 4 | (digit - '0');
        else if (digit - 'a' < 6)
            *value = *value << 4 | (digit - 'a' + 10);
        else
            break;
    }
    if (at == *text || *at != end)
        return false;
    *text = at + 1;
    return true;
}

static const char *skip_word(const char *at)
{
    while (*at != ' ' && *at != '\0')
        at++;
    while (*at == ' ')
        at++;
    return at;
}

/* "START-END PERM OFFSET DEVICE INODE   PATH" */
static bool parse_line(const char *at, struct prof_map *map)
{
    if (!parse_hex(&at, '-', &map->start) || !parse_hex(&at, ' ', &map->end))
        return false;
    for (unsigned i = 0; i < 4; i++) {
        if (at[i] == '\0')
            return false;
    }
    map->is_readable = at[0] == 'r';
    map->is_writable = at[1] == 'w';
    map->is_executable = at[2] == 'x';
    map->is_private = at[3] == 'p';
    at = skip_word(at);
    if (!parse_hex(&at, ' ', &map->offset))
        return false;
    map->path = skip_word(skip_word(at));
    return true;
}

bool prof_maps_next(struct prof_maps *maps, struct prof_map *map)
{
    while (maps->at < maps->bytes) {
        char *line = maps->text + maps->at;
        size_t length = 0, left = maps->bytes - maps->at;
        while (length < left && line[length] != '\n' && line[length] != '\0')
            length++;
        maps->at += length + 1;
        /* A line without its end is one that was cut. */
        if (length == left)
            return false;
        line[length] = '\0';
        if (parse_line(line, map))
            return true;
    }
    return false;
}
