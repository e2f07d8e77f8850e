/*
 * Interposed: dl_iterate_phdr, in which this library is the last of its name
 * space, not the first behind the program.
 *
 * AddressSanitizer's runtime looks there whether it stands before every other
 * library, as it must for its malloc() to be the one, and ends the program
 * where it does not. We stand before it and define none of what it replaces.
 */
#include "profiler/agent/shell.h"

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef int listing(struct dl_phdr_info *info, size_t bytes, void *context);

struct search {
    listing *call;
    void *context;
    struct dl_phdr_info ours;
    size_t ours_bytes; /* 0: not met yet */
};

static bool is_this_library(const struct dl_phdr_info *info)
{
    uint64_t here = (uint64_t)(uintptr_t)&is_this_library;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uint64_t start = info->dlpi_addr + segment->p_vaddr;
        if (segment->p_type == PT_LOAD && here - start < segment->p_memsz)
            return true;
    }
    return false;
}

static int put_ours_off(struct dl_phdr_info *info, size_t bytes, void *context)
{
    struct search *search = context;
    if (search->ours_bytes > 0 || bytes > sizeof search->ours ||
        !is_this_library(info))
        return search->call(info, bytes, search->context);
    memcpy(&search->ours, info, bytes);
    search->ours_bytes = bytes;
    return 0;
}

INTERPOSE int dl_iterate_phdr(listing *call, void *context)
{
    struct search search = {.call = call, .context = context};
    int result = shell_real()->dl_iterate_phdr(put_ours_off, &search);
    if (result == 0 && search.ours_bytes > 0)
        result = call(&search.ours, search.ours_bytes, context);
    return result;
}
