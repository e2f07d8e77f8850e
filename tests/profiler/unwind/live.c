/* The engine for the test's own process; see the header. */
#include "tests/profiler/unwind/live.h"

#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "profiler/unwind/module_phdr.h"
#include "profiler/unwind/modules.h"
#include "profiler/unwind/stacks.h"

struct collection {
    const char *without;
    struct prof_text texts[PROF_TEXTS_MAX];
    uint32_t count;
};

static bool ends_in(const char *name, const char *end)
{
    size_t size = strlen(name), wanted = strlen(end);
    return size >= wanted && strcmp(name + size - wanted, end) == 0;
}

static int add_object(struct dl_phdr_info *info, size_t size, void *owner)
{
    (void)size;
    struct collection *all = owner;
    if (all->without != NULL && ends_in(info->dlpi_name, all->without))
        return 0;
    struct prof_loaded_image image = {
        .bias = info->dlpi_addr,
        .headers = info->dlpi_phdr,
        .header_count = info->dlpi_phnum,
        .is_permanent = true,
    };
    all->count += prof_loaded_texts(
        &image, all->texts + all->count, PROF_TEXTS_MAX - all->count);
    return 0;
}

bool live_publish(struct prof_cfi_engine *cfi, const char *without)
{
    struct collection *all = calloc(1, sizeof *all);
    if (all == NULL)
        abort();
    all->without = without;
    (void)dl_iterate_phdr(add_object, all);
    bool is_published = prof_modules_publish(
        &cfi->modules, all->texts, all->count, &cfi->cache);
    free(all);
    return is_published;
}

static void own_stack(uint64_t *start, uint64_t *end)
{
    pthread_attr_t attributes;
    void *low;
    size_t size;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0 ||
        pthread_attr_getstack(&attributes, &low, &size) != 0)
        abort();
    (void)pthread_attr_destroy(&attributes);
    *start = (uint64_t)(uintptr_t)low;
    *end = *start + size;
}

void live_add_stack(struct prof_cfi_engine *cfi)
{
    uint64_t start, end;
    own_stack(&start, &end);
    if (!prof_stacks_add(&cfi->stacks, start, end))
        abort();
}

void live_remove_stack(struct prof_cfi_engine *cfi)
{
    uint64_t start, end;
    own_stack(&start, &end);
    prof_stacks_remove(&cfi->stacks, start);
}

struct prof_cfi_engine *live_create(void)
{
    struct prof_cfi_engine *cfi = mmap(
        NULL, PROF_CFI_ENGINE_BYTES, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (cfi == MAP_FAILED)
        abort();
    prof_cfi_engine_init(cfi);
    if (!live_publish(cfi, NULL))
        abort();
    live_add_stack(cfi);
    return cfi;
}

void live_destroy(struct prof_cfi_engine *cfi)
{
    (void)munmap(cfi, PROF_CFI_ENGINE_BYTES);
}
