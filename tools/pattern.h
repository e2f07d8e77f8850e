/* Names of files in which %p stands for a pid, %e for a program, %t for now. */
#ifndef TOOLS_PATTERN_H
#define TOOLS_PATTERN_H

#include <stddef.h>

#include "profiler/model/profile.h"

/*
 * Put in what stands for %x: `length` bytes of the pattern, of a process of the
 * profile. Never more than the buffer.
 */
void pattern_expand(
    const char *pattern, size_t length, const struct prof_profile *profile,
    uint32_t process, char *path, size_t bytes);

#endif
