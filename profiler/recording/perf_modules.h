/*
 * Which module a mapping of perf's shows: its kind, path and build-id.
 */
#ifndef PROFILER_RECORDING_PERF_MODULES_H
#define PROFILER_RECORDING_PERF_MODULES_H

#include "profiler/base/table.h"
#include "profiler/model/profile.h"
#include "profiler/recording/perf_event.h"

struct prof_perf_modules {
    struct prof_profile *profile;
    struct table build_id;
    struct index build_id_index;
    bool is_failed; /* out of memory */
};

void prof_perf_modules_init(
    struct prof_perf_modules *modules, struct prof_profile *profile);
void prof_perf_modules_fini(struct prof_perf_modules *modules);

/* Files mapped by this path have this build-id, unless the mapping tells. */
void prof_perf_modules_add_build_id(
    struct prof_perf_modules *modules, const char *path, size_t path_bytes,
    const uint8_t *build_id, uint8_t bytes);

/* FILE, VDSO or ANONYMOUS, by the name of the mapping. */
enum prof_module_kind prof_perf_module_kind(
    const struct prof_perf_event *mapping);

/* The module of a FILE or VDSO mapping. */
uint32_t prof_perf_module_of_file(
    struct prof_perf_modules *modules, const struct prof_perf_event *mapping,
    enum prof_module_kind kind);

/* Memory of a process without a file: one module for each pid. */
uint32_t prof_perf_module_anonymous(
    struct prof_perf_modules *modules, uint32_t pid);

/* Where addresses go that nothing was mapped at. */
uint32_t prof_perf_module_unknown(struct prof_perf_modules *modules);

/* The kernel's module of this name; NULL: the kernel itself. */
uint32_t prof_perf_module_of_kernel(
    struct prof_perf_modules *modules, const struct prof_perf_event *mapping);

#endif
