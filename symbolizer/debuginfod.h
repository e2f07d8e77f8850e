/*
 * Debug files from a server, by build-id (debuginfod(8)), through the library
 * that elfutils brings. It is loaded when it is asked for the first time, and
 * is no dependency.
 *
 * Servers hang, and files have gigabytes. So this is for a process apart, with
 * nobody waiting for it: never on the way of a query.
 */
#ifndef SYMBOLIZER_DEBUGINFOD_H
#define SYMBOLIZER_DEBUGINFOD_H

#include <stdbool.h>

#include "symbolizer/image.h"

/* Whether there is anybody to ask: DEBUGINFOD_URLS says so. */
bool sym_debuginfod_has_servers(void);

/*
 * Fetch the debug file of `image` into the cache that all debuginfod clients
 * share, and open it. Takes seconds, or ten without an answer.
 *
 *   returns  false when there is none
 */
bool sym_debuginfod_fetch(
    const struct sym_image *image, struct sym_image *debug);

#endif
