/* Posting modules and mapping the tables of rows made for them. */
#include "profiler/agent/tables.h"

#include "profiler/agent/sig_core.h"
#include "profiler/agent/sys.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* The process's own copy: a fork's child posts it again in its own ring. */
static struct wire_slot_module posts[WIRE_SLOT_COUNT];
static uint32_t post_count;
static uint32_t next_guess; /* modules are listed in the same order */

static bool is_post(uint32_t index, const struct wire_slot_module *module)
{
    return posts[index].start == module->start &&
           posts[index].identity == module->identity;
}

static void announce(uint32_t index)
{
    const struct wire_ring *ring = &prof_core.ring;
    ring->slots->modules[index] = posts[index];
    /* Pairs with the acquire of the collector: the entry is whole. */
    atomic_store_explicit(
        &ring->header->slot_count, index + 1, memory_order_release);
}

uint32_t prof_tables_post(uint64_t start, uint64_t identity)
{
    struct wire_slot_module module = {.start = start, .identity = identity};
    for (uint32_t i = 0; i < post_count; i++) {
        uint32_t index = (next_guess + i) % post_count;
        if (is_post(index, &module)) {
            next_guess = index + 1;
            return index + 1;
        }
    }
    if (post_count == WIRE_SLOT_COUNT)
        return 0;
    posts[post_count] = module;
    if (prof_core.ring.slots != NULL)
        announce(post_count);
    return ++post_count;
}

void prof_tables_announce(void)
{
    for (uint32_t i = 0; i < post_count; i++)
        announce(i);
    prof_core.tables.places = prof_core.ring.slots->places;
    prof_core.tables.slot_count = WIRE_SLOT_COUNT;
}

/* Whether the file can be read for as long as it is mapped. */
static bool is_lasting(int fd)
{
    struct stat found;
    long seals = sys_call2(__NR_fcntl, (long)fd, (long)F_GET_SEALS);
    return seals > 0 && (seals & F_SEAL_SHRINK) != 0 &&
           sys_call2(__NR_fstat, (long)fd, &found) == 0 &&
           found.st_size == (off_t)WIRE_TABLES_BYTES;
}

void prof_tables_map(int fd)
{
    if (fd < 0)
        return;
    /*
     * A fork's child has its parent's mapping. Where address space is
     * rationed, the program's malloc is not to fail for this earlier.
     */
    if (prof_core.tables.bytes == NULL &&
        sys_limit(RLIMIT_AS).soft == UINT64_MAX && is_lasting(fd)) {
        long base =
            sys_mmap(NULL, WIRE_TABLES_BYTES, PROT_READ, MAP_SHARED, fd, 0);
        if (!sys_is_error(base)) {
            prof_core.tables.bytes = (const uint8_t *)base;
            prof_core.tables.size_bytes = WIRE_TABLES_BYTES;
        }
    }
    (void)sys_close(fd);
}
