/*
 * /proc/PID/maps: what is mapped where, and the files behind it.
 */
#ifndef PROFILER_COLLECTOR_MAPS_H
#define PROFILER_COLLECTOR_MAPS_H

#include <stdbool.h>
#include <stdint.h>

/* One line: proc(5). */
struct prof_maps_line {
    uint64_t start, end, offset, device, inode;
    char permissions[5];
    const char *path; /* within the text; "" for anonymous memory */
};

/* The text, the caller's to free; NULL: gone, or not to be read. */
char *prof_maps_read(uint32_t pid);

/* Read a line, without its line break; false when it is none. */
bool prof_maps_parse(const char *text, struct prof_maps_line *line);

/* Whether the program's code stands there. */
bool prof_maps_is_code(const struct prof_maps_line *line);

/* Whether it is memory and nothing else: without a file, or with one that the
   kernel or the program made for it, and that is no ELF file. */
bool prof_maps_is_memory(uint32_t pid, const struct prof_maps_line *line);

/*
 * A descriptor of the file that is mapped there, never of another; or
 * negative. Tried are /proc/PID/map_files, the file that is mapped for certain,
 * then /proc/PID/root, /proc/PID/exe and our own root with the same device and
 * inode.
 */
int prof_maps_open_file(uint32_t pid, const struct prof_maps_line *line);

#endif
