/* The symbolizer of a command, with the cache this user's settings ask for. */
#ifndef TOOLS_OPEN_SYMBOLIZER_H
#define TOOLS_OPEN_SYMBOLIZER_H

#include <stddef.h>

#include "symbolizer/symbolizer.h"

/*
 * WATCHFIRE_CACHE is the folder that keeps indexes of debug information, or
 * "off"; unless it is set, watchfire below $XDG_CACHE_HOME, which is ~/.cache
 * where it is not set either. Nothing is kept in a folder of another user's,
 * as HOME is under some ways to become root.
 *
 *   options  what else is wanted; may be NULL
 *   returns  NULL when out of memory
 */
struct sym_symbolizer *open_symbolizer(const struct sym_options *options);

/* That folder; false when there is none. Makes the folders above it. */
bool find_cache_folder(char *path, size_t bytes);

#endif
