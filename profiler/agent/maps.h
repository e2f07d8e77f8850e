/*
 * The memory map of our own process, read without libc: /proc/self/maps, as
 * proc(5) describes it. For normal context; makes system calls.
 */
#ifndef PROFILER_AGENT_MAPS_H
#define PROFILER_AGENT_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The text of the file, in memory of our own. */
struct prof_maps {
    char *text;
    size_t room_bytes, bytes;
    size_t at; /* of the line that comes next */
};

struct prof_map {
    uint64_t start, end, offset;
    bool is_readable, is_writable, is_executable, is_private;
    const char *path; /* "" for anonymous memory; until prof_maps_close() */
};

/* Read it all; false when that is refused, or there is no memory for it. */
bool prof_maps_open(struct prof_maps *maps);

/* The next line; false after the last one. Setting `at` to 0 starts over. */
bool prof_maps_next(struct prof_maps *maps, struct prof_map *map);

void prof_maps_close(struct prof_maps *maps);

#endif
