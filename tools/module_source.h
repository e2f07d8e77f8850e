/* What the symbolizer is told of a module of a profile: which file it was. */
#ifndef TOOLS_MODULE_SOURCE_H
#define TOOLS_MODULE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/model/profile.h"
#include "symbolizer/symbolizer.h"

/*
 *   id    of a module that is no memory
 *   path  room for PATH_MAX bytes, which holds one of the source's texts
 */
struct sym_source module_source(
    const struct prof_profile *profile, uint32_t id, char *path,
    size_t path_bytes);

/*
 * Tell the symbolizer that a module of the profile will be asked about. Costs
 * a copy of its name; false when it is to be told again later.
 */
bool foresee_module(
    const struct prof_profile *profile, struct sym_symbolizer *symbolizer,
    uint32_t module);

#endif
