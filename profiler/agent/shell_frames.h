/*
 * The unwinding information of modules that dlclose() may unmap under a
 * handler: kept apart from the module, and given back when no handler can be
 * inside. Normal context, one caller at a time.
 */
#ifndef PROFILER_AGENT_SHELL_FRAMES_H
#define PROFILER_AGENT_SHELL_FRAMES_H

#include <stdint.h>

#include "profiler/unwind/module_phdr.h"

/* A publication begins: what it does not ask for, shell_frames_drop() drops. */
void shell_frames_begin(void);

/*
 * The bytes of the range prof_loaded_frames() names, for as long as every
 * publication asks for them. The loader's lock is held: the image stands.
 *
 *   path     the image's file, which is checked to be the same
 *   returns  NULL when there are none, or they cannot be kept
 */
const uint8_t *shell_frames_keep(
    const struct prof_loaded_image *image, const char *path);

/* The publication has settled. */
void shell_frames_drop(void);

#endif
