/* What modules are called that are not, or no longer, plainly a file. */
#ifndef PROFILER_MODEL_MODULE_PATH_H
#define PROFILER_MODEL_MODULE_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/model/profile.h"

/* How much of a path that the kernel tells is the path, and not the remark
   behind it that the file is deleted. */
size_t prof_module_path_bytes(const char *path, size_t bytes);

/* The path of memory without a file: a string of the profile. */
uint32_t prof_module_path_of_memory(struct prof_profile *profile, uint32_t pid);

/* Whether it is one of those, and of which process. */
bool prof_module_path_is_memory(const char *path, uint32_t *pid);

#endif
