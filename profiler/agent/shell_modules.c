/*
 * Interposed: dlclose. A module that goes away is published before, so that
 * samples still in the ring can be resolved, and its end is told after.
 *
 * dlopen is left alone: it finds libraries relative to its caller, which an
 * interposed one would change. New modules are found by the collector.
 */
#include "profiler/agent/shell.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <string.h>

#include "profiler/agent/core.h"
#include "profiler/agent/shell_engine.h"
#include "profiler/unwind/module_phdr.h"

enum { PUBLISHED_MAX = 1024 };

/* Start and end of each executable segment told to the collector. */
struct published {
    uint64_t start, end;
    bool is_present; /* seen in the present walk of the list */
};

static struct published published[PUBLISHED_MAX];
static unsigned published_count;
static pthread_mutex_t published_lock = PTHREAD_MUTEX_INITIALIZER;
static bool is_forked;

static struct published *find_published(uint64_t start, uint64_t end)
{
    for (unsigned i = 0; i < published_count; i++) {
        if (published[i].start == start && published[i].end == end)
            return &published[i];
    }
    return NULL;
}

static void copy_build_id(
    struct wire_module *module, const struct dl_phdr_info *info)
{
    const uint8_t *id;
    struct prof_loaded_image image = {
        .bias = info->dlpi_addr,
        .headers = info->dlpi_phdr,
        .header_count = info->dlpi_phnum};
    uint32_t bytes = prof_loaded_build_id(&image, &id);
    if (bytes == 0 || bytes > WIRE_BUILD_ID_BYTES)
        return;
    module->build_id_bytes = bytes;
    memcpy(module->build_id, id, bytes);
}

static void publish_segment(
    const struct dl_phdr_info *info, const ElfW(Phdr) * segment)
{
    const uint64_t page = 4095;
    uint64_t address = info->dlpi_addr + segment->p_vaddr;
    uint64_t start = address & ~page;
    uint64_t end = (address + segment->p_memsz + page) & ~page;

    struct published *known = find_published(start, end);
    if (known != NULL) {
        known->is_present = true;
        return;
    }
    /* The program itself stays, and the collector read it at the start. */
    if (info->dlpi_name[0] == '\0' || published_count == PUBLISHED_MAX)
        return;

    struct wire_module module = {
        .record = {.type = WIRE_MODULE},
        .start = start,
        .end = end,
        .offset = segment->p_offset & ~page};
    strncpy(module.path, info->dlpi_name, sizeof module.path - 1);
    copy_build_id(&module, info);
    prof_core_publish(&module);
    published[published_count++] =
        (struct published){.start = start, .end = end, .is_present = true};
}

static int publish_module(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size, (void)context;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type == PT_LOAD && (segment->p_flags & PF_X))
            publish_segment(info, segment);
    }
    return 0;
}

void shell_publish_modules(void)
{
    if (!prof_core_is_ours())
        return;
    /* A busy list belongs to a dlclose under way, which publishes as well. */
    if (pthread_mutex_trylock(&published_lock) != 0)
        return;
    (void)dl_iterate_phdr(publish_module, NULL);
    (void)pthread_mutex_unlock(&published_lock);
}

/*
 * The loader's list has a lock, which fork() copies as it is: in a child, it
 * may be held by a thread that is not there. There, the collector's own look
 * at the mappings has to do.
 */
void shell_publish_last_modules(void)
{
    if (!is_forked)
        shell_publish_modules();
}

void shell_retire_modules(void)
{
    if (!prof_core_is_ours() || pthread_mutex_trylock(&published_lock) != 0)
        return;
    for (unsigned i = 0; i < published_count; i++)
        published[i].is_present = false;
    (void)dl_iterate_phdr(publish_module, NULL);
    for (unsigned i = published_count; i-- > 0;) {
        if (published[i].is_present)
            continue;
        struct wire_module gone = {
            .record = {.type = WIRE_UNMAPPED},
            .start = published[i].start,
            .end = published[i].end};
        prof_core_publish(&gone);
        published[i] = published[--published_count];
    }
    (void)pthread_mutex_unlock(&published_lock);
}

void shell_modules_after_fork(void)
{
    is_forked = true;
    /* Another thread of the parent may have held it. */
    published_lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
}

INTERPOSE int dlclose(void *handle)
{
    shell_publish_modules();
    shell_engine_part_with(handle);
    int result = shell_real()->dlclose(handle);
    shell_engine_update();
    shell_retire_modules();
    return result;
}
