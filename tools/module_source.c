/* What the symbolizer is told of a module; see the header. */
#include "tools/module_source.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/*
 * The file as a process that still runs sees it, for one in a container: a
 * second choice beside the module's own path. Only where a build-id proves it
 * is the file that ran, since the pid may be another process by now.
 */
static const char *path_in_target(
    const struct prof_profile *profile, uint32_t module, char *path,
    size_t path_bytes)
{
    const struct prof_module *row = prof_profile_module(profile, module);
    if (row->build_id_bytes == 0)
        return NULL;
    for (uint32_t i = 0; i < prof_profile_mapping_count(profile); i++) {
        const struct prof_mapping *mapping = prof_profile_mapping(profile, i);
        if (mapping->module != module)
            continue;
        int length = snprintf(
            path, path_bytes, "/proc/%u/root%s",
            prof_profile_process(profile, mapping->process)->pid,
            prof_profile_text(profile, row->path));
        return length > 0 && (size_t)length < path_bytes ? path : NULL;
    }
    return NULL;
}

/* The kernel's own build-id, for its modules too: their names are in its list,
   theirs are not. */
static void identify_kernel(
    const struct prof_profile *profile, struct sym_source *source)
{
    source->build_id_bytes = 0;
    for (uint32_t i = 0; i < prof_profile_module_count(profile); i++) {
        const struct prof_module *row = prof_profile_module(profile, i);
        if (row->kind == PROF_MODULE_KERNEL &&
            strcmp(
                prof_profile_text(profile, row->path), "[kernel.kallsyms]") ==
                0) {
            source->build_id = row->build_id;
            source->build_id_bytes = row->build_id_bytes;
            return;
        }
    }
}

struct sym_source module_source(
    const struct prof_profile *profile, uint32_t id, char *path,
    size_t path_bytes)
{
    static const enum sym_kind kinds[] = {
        [PROF_MODULE_FILE] = SYM_FILE,
        [PROF_MODULE_VDSO] = SYM_VDSO,
        [PROF_MODULE_KERNEL] = SYM_KERNEL};
    const struct prof_module *row = prof_profile_module(profile, id);
    struct sym_source source = {
        .kind = kinds[row->kind],
        .build_id = row->build_id,
        .build_id_bytes = row->build_id_bytes};
    if (row->kind == PROF_MODULE_KERNEL)
        identify_kernel(profile, &source);
    if (row->kind == PROF_MODULE_FILE) {
        source.path = prof_profile_text(profile, row->path);
        source.alternative = path_in_target(profile, id, path, path_bytes);
    }
    return source;
}

bool foresee_module(
    const struct prof_profile *profile, struct sym_symbolizer *symbolizer,
    uint32_t module)
{
    char path[PATH_MAX];
    if (prof_profile_module(profile, module)->kind != PROF_MODULE_FILE)
        return true;
    struct sym_source source =
        module_source(profile, module, path, sizeof path);
    return sym_symbolizer_foresee(symbolizer, &source);
}
