/* The loader's other name spaces, by what it tells debuggers of them. */
#include "profiler/agent/shell_spaces.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/auxv.h>

enum { LISTED_SINCE = 2, PAGE_BYTES = 4096 };

/* struct r_debug_extended of glibc's link.h since 2.35. */
struct space {
    struct r_debug base;
    struct space *next;
};

/* The loader itself is in all of them. */
static bool describe(const struct link_map *map, struct dl_phdr_info *module)
{
    Dl_info found;
    if (dladdr(map->l_ld, &found) == 0 || found.dli_fbase == NULL ||
        (uint64_t)(uintptr_t)found.dli_fbase == getauxval(AT_BASE))
        return false;
    const char *start = found.dli_fbase;
    const ElfW(Ehdr) *header = found.dli_fbase;
    if (header->e_phoff + header->e_phnum * sizeof(ElfW(Phdr)) > PAGE_BYTES)
        return false;
    *module = (struct dl_phdr_info){
        .dlpi_addr = map->l_addr,
        .dlpi_name = map->l_name,
        .dlpi_phdr = (const ElfW(Phdr) *)(start + header->e_phoff),
        .dlpi_phnum = header->e_phnum};
    return true;
}

uint32_t shell_spaces_list(struct dl_phdr_info *modules, uint32_t most)
{
    uint32_t count = 0;
    if (_r_debug.r_version < LISTED_SINCE)
        return 0;
    const struct space *space = (const struct space *)&_r_debug;
    while ((space = space->next) != NULL) {
        for (const struct link_map *map = space->base.r_map;
             map != NULL && count < most; map = map->l_next)
            count += describe(map, &modules[count]);
    }
    return count;
}
