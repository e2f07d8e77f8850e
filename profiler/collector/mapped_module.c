/* Which module a line of /proc/PID/maps shows. */
#include "profiler/collector/mapped_module.h"

#include <string.h>
#include <sys/auxv.h>

#include "profiler/model/module_path.h"

/* Every process of this kernel has the same vDSO image. */
static void add_vdso_build_id(struct prof_module *module, uint64_t bytes)
{
    const void *image = (const void *)getauxval(AT_SYSINFO_EHDR);
    struct prof_build_id id = {0};
    if (image != NULL)
        prof_build_id_read_image(image, bytes, &id);
    module->build_id_bytes = (uint8_t)id.bytes;
    memcpy(module->build_id, id.id, id.bytes);
}

uint32_t prof_mapped_module(
    struct prof_profile *profile, struct prof_build_ids *build_ids,
    uint32_t pid, const struct prof_maps_line *line)
{
    struct prof_module module = {.kind = PROF_MODULE_FILE};
    size_t length = strlen(line->path);

    if (strcmp(line->path, "[vdso]") == 0) {
        module.kind = PROF_MODULE_VDSO;
        add_vdso_build_id(&module, line->end - line->start);
    } else if (prof_maps_is_memory(pid, line)) {
        module.kind = PROF_MODULE_ANONYMOUS;
        module.path = prof_module_path_of_memory(profile, pid);
        prof_kept_files_meet_runtime(&build_ids->kept, pid);
        return prof_profile_add_module(profile, &module);
    } else {
        length = prof_module_path_bytes(line->path, length);
        struct prof_build_id id = prof_build_id_of_mapping(
            build_ids, pid, line->start, line->end, line->path, line->device,
            line->inode);
        module.build_id_bytes = (uint8_t)id.bytes;
        memcpy(module.build_id, id.id, id.bytes);
    }
    module.path = prof_profile_string_n(profile, line->path, length);
    uint32_t id = prof_profile_add_module(profile, &module);
    if (id != PROF_NONE && module.kind == PROF_MODULE_FILE)
        prof_kept_files_consider(
            &build_ids->kept, id, module.build_id_bytes > 0, pid, line,
            prof_profile_text(profile, module.path));
    return id;
}
