/* Which module a mapping of perf's shows. */
#include "profiler/recording/perf_modules.h"

#include <string.h>

#include "profiler/model/module_path.h"

struct build_id_row {
    uint32_t path; /* string */
    uint8_t build_id[PROF_BUILD_ID_BYTES];
    uint8_t bytes;
};

void prof_perf_modules_init(
    struct prof_perf_modules *modules, struct prof_profile *profile)
{
    *modules = (struct prof_perf_modules){.profile = profile};
    modules->build_id.row_bytes = sizeof(struct build_id_row);
}

void prof_perf_modules_fini(struct prof_perf_modules *modules)
{
    table_fini(&modules->build_id);
    index_fini(&modules->build_id_index);
}

/* ---- build-ids ---- */

static bool build_id_equal(const void *owner, uint32_t id, const void *key)
{
    const struct prof_perf_modules *modules = owner;
    const struct build_id_row *row = table_row(&modules->build_id, id);
    return row->path == *(const uint32_t *)key;
}

void prof_perf_modules_add_build_id(
    struct prof_perf_modules *modules, const char *path, size_t path_bytes,
    const uint8_t *build_id, uint8_t bytes)
{
    struct build_id_row row = {
        .path = prof_profile_string_n(modules->profile, path, path_bytes),
        .bytes = bytes < PROF_BUILD_ID_BYTES ? bytes : PROF_BUILD_ID_BYTES};
    memcpy(row.build_id, build_id, row.bytes);
    uint32_t hash = hash_u64(row.path);
    if (index_find(
            &modules->build_id_index, hash, build_id_equal, modules,
            &row.path) != TABLE_NONE)
        return;
    uint32_t id = table_add(&modules->build_id, &row);
    if (id == TABLE_NONE || !index_add(&modules->build_id_index, hash, id))
        modules->is_failed = true;
}

static void set_build_id(
    const struct prof_perf_modules *modules,
    const struct prof_perf_event *mapping, struct prof_module *module)
{
    module->build_id_bytes = mapping->build_id_bytes;
    if (mapping->build_id_bytes > 0) {
        memcpy(module->build_id, mapping->build_id, mapping->build_id_bytes);
        return;
    }
    uint32_t id = index_find(
        &modules->build_id_index, hash_u64(module->path), build_id_equal,
        modules, &module->path);
    if (id == TABLE_NONE)
        return;
    const struct build_id_row *row = table_row(&modules->build_id, id);
    module->build_id_bytes = row->bytes;
    memcpy(module->build_id, row->build_id, row->bytes);
}

/* ---- names ---- */

static bool begins_with(const struct prof_perf_event *mapping, const char *name)
{
    size_t bytes = strlen(name);
    return mapping->name_bytes >= bytes &&
           memcmp(mapping->name, name, bytes) == 0;
}

/* Files have an absolute path; "//anon" is the kernel's name for the rest. */
enum prof_module_kind prof_perf_module_kind(
    const struct prof_perf_event *mapping)
{
    static const char *const nameless[] = {
        "//", "/dev/zero", "/anon_hugepage", "/SYSV"};
    if (begins_with(mapping, "[vdso]"))
        return PROF_MODULE_VDSO;
    for (size_t i = 0; i < sizeof nameless / sizeof nameless[0]; i++) {
        if (begins_with(mapping, nameless[i]))
            return PROF_MODULE_ANONYMOUS;
    }
    return begins_with(mapping, "/") ? PROF_MODULE_FILE : PROF_MODULE_ANONYMOUS;
}

static uint32_t add_anonymous(struct prof_perf_modules *modules, uint32_t path)
{
    struct prof_module module = {.kind = PROF_MODULE_ANONYMOUS, .path = path};
    return prof_profile_add_module(modules->profile, &module);
}

uint32_t prof_perf_module_unknown(struct prof_perf_modules *modules)
{
    return add_anonymous(
        modules, prof_profile_string(modules->profile, "unknown"));
}

uint32_t prof_perf_module_anonymous(
    struct prof_perf_modules *modules, uint32_t pid)
{
    return add_anonymous(
        modules, prof_module_path_of_memory(modules->profile, pid));
}

uint32_t prof_perf_module_of_file(
    struct prof_perf_modules *modules, const struct prof_perf_event *mapping,
    enum prof_module_kind kind)
{
    size_t bytes = prof_module_path_bytes(mapping->name, mapping->name_bytes);
    struct prof_module module = {
        .kind = kind,
        .path = prof_profile_string_n(modules->profile, mapping->name, bytes)};
    if (module.path == PROF_NONE)
        return PROF_NONE;
    set_build_id(modules, mapping, &module);
    return prof_profile_add_module(modules->profile, &module);
}

uint32_t prof_perf_module_of_kernel(
    struct prof_perf_modules *modules, const struct prof_perf_event *mapping)
{
    static const char kernel[] = "[kernel.kallsyms]";
    struct prof_perf_event named = {
        .name = kernel, .name_bytes = sizeof kernel - 1};
    /* "[kernel.kallsyms]_text" is the kernel, whatever symbol it names. */
    if (mapping != NULL && !begins_with(mapping, kernel)) {
        named.name = mapping->name;
        named.name_bytes = mapping->name_bytes;
    }
    return prof_perf_module_of_file(modules, &named, PROF_MODULE_KERNEL);
}
