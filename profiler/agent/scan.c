/* Modules and stacks of a process, found by itself; see the header. */
#include "profiler/agent/scan.h"

#include "profiler/agent/auxv.h"
#include "profiler/agent/maps.h"
#include "profiler/agent/scan_image.h"
#include "profiler/agent/sys.h"
#include "profiler/unwind/modules.h"
#include "profiler/unwind/sig_regs.h"
#include "profiler/unwind/stacks.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>

enum {
    /* Linkers put an image's segments side by side, bss between them. */
    LINES_OF_AN_IMAGE = 16,
    THREAD_BYTES = 2048, /* of a thread's control block that are searched */
};

struct prof_scan_memory {
    struct prof_scan_files files;
    struct prof_maps maps;
    uint64_t program_headers, interpreter; /* where they are loaded */
    uint32_t text_count;
    struct prof_text texts[PROF_TEXTS_MAX];
    uint32_t stack_count;
    uint64_t stacks[PROF_STACKS_MAX]; /* starts of those that were published */
};

/* ---- modules ---- */

/* Whether `address` is executable, by one of the next lines of the maps. */
static bool is_code(struct prof_maps maps, uint64_t address)
{
    struct prof_map map;
    for (unsigned i = 0; i < LINES_OF_AN_IMAGE && prof_maps_next(&maps, &map);
         i++) {
        if (map.is_executable && address - map.start < map.end - map.start)
            return true;
    }
    return false;
}

/* A file that is mapped to be read looks like an image, but has no code. */
static bool is_loaded(
    struct prof_maps maps, const struct prof_scan_image *image)
{
    const struct prof_loaded_image *loaded = &image->loaded;
    for (uint32_t i = 0; i < loaded->header_count; i++) {
        const Elf64_Phdr *header = &loaded->headers[i];
        if (header->p_type == PT_LOAD && (header->p_flags & PF_X))
            return is_code(maps, loaded->bias + header->p_vaddr);
    }
    return false;
}

/* The program and its interpreter stay as long as the process does. */
static bool is_permanent(
    const struct prof_scan_memory *memory, const struct prof_scan_image *image)
{
    uint64_t headers = image->base + image->header_offset;
    return image->base == memory->interpreter ||
           headers == memory->program_headers;
}

/*
 * `here`: the maps from the image's first line on. False when there is none:
 * its executable memory is then still a place where code may be.
 */
static bool add_image(
    struct prof_scan_memory *memory, struct prof_maps here,
    const struct prof_map *map)
{
    bool is_vdso = map->path[0] == '[';
    struct prof_scan_image image;
    if (memory->text_count == PROF_TEXTS_MAX ||
        !prof_scan_image_read(&memory->files, map->start, &image) ||
        !is_loaded(here, &image))
        return false;
    image.loaded.is_permanent = is_vdso || is_permanent(memory, &image);
    memory->text_count += prof_scan_image_texts(
        &memory->files, &image, is_vdso ? NULL : map->path,
        memory->texts + memory->text_count,
        PROF_TEXTS_MAX - memory->text_count);
    return true;
}

static bool has_text(const struct prof_scan_memory *memory, uint64_t pc)
{
    for (uint32_t i = memory->text_count; i-- > 0;) {
        const struct prof_text *text = &memory->texts[i];
        if (pc - text->start < text->end - text->start)
            return true;
    }
    return false;
}

/* Code of no image, such as a JIT's: frame pointers may lead through it. */
static void add_bare(
    struct prof_scan_memory *memory, const struct prof_map *map)
{
    if (memory->text_count < PROF_TEXTS_MAX && !has_text(memory, map->start))
        memory->texts[memory->text_count++] =
            (struct prof_text){.start = map->start, .end = map->end};
}

static void find_texts(struct prof_scan_memory *memory)
{
    struct prof_maps *maps = &memory->maps, here;
    struct prof_map map;
    for (maps->at = 0; here = *maps, prof_maps_next(maps, &map);) {
        /* "/path" or "[vdso]"; the addresses of "[vsyscall]" are no code's. */
        bool may_be_image =
            map.path[0] != '\0' && map.is_readable && map.offset == 0;
        if (may_be_image && add_image(memory, here, &map))
            continue;
        if (map.is_executable && prof_is_code_address(map.start))
            add_bare(memory, &map);
    }
}

/* ---- stacks ---- */

static bool is_guard(const struct prof_map *map)
{
    return !map->is_readable && !map->is_writable && !map->is_executable &&
           map->path[0] == '\0';
}

static bool is_stack(
    const struct prof_map *below, const struct prof_map *map, bool is_clipped)
{
    static const char main_stack[] = "[stack]";
    for (unsigned i = 0; map->path[i] == main_stack[i]; i++) {
        if (main_stack[i] == '\0')
            return true;
    }
    return is_clipped && map->is_writable && map->is_private &&
           map->path[0] == '\0' && is_guard(below) && below->end == map->start;
}

static void publish_stacks(
    struct prof_scan_memory *memory, struct prof_cfi_engine *cfi)
{
    struct prof_maps *maps = &memory->maps;
    struct prof_map map, below = {.path = ""};
    for (maps->at = 0; prof_maps_next(maps, &map); below = map) {
        if (memory->stack_count < PROF_STACKS_MAX &&
            is_stack(&below, &map, cfi->clips_stacks) &&
            prof_stacks_add(&cfi->stacks, map.start, map.end))
            memory->stacks[memory->stack_count++] = map.start;
    }
}

static bool has_stack(const struct prof_scan_memory *memory, uint64_t start)
{
    for (uint32_t i = 0; i < memory->stack_count; i++) {
        if (memory->stacks[i] == start)
            return true;
    }
    return false;
}

static void retire_stacks(
    const struct prof_scan_memory *memory, const struct prof_scan_memory *old,
    struct prof_cfi_engine *cfi)
{
    for (uint32_t i = 0; old != NULL && i < old->stack_count; i++) {
        if (!has_stack(memory, old->stacks[i]))
            prof_stacks_remove(&cfi->stacks, old->stacks[i]);
    }
}

/* ---- both ---- */

static void release(struct prof_scan_memory *memory)
{
    if (memory == NULL)
        return;
    prof_scan_files_release(&memory->files);
    (void)sys_munmap(memory, sizeof *memory);
}

static struct prof_scan_memory *look(void)
{
    long base = sys_mmap(
        NULL, sizeof(struct prof_scan_memory), PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (sys_is_error(base))
        return NULL;
    struct prof_scan_memory *memory = (struct prof_scan_memory *)base;
    if (!prof_scan_files_open(&memory->files) ||
        !prof_maps_open(&memory->maps)) {
        release(memory);
        return NULL;
    }
    memory->program_headers = prof_auxv(AT_PHDR);
    memory->interpreter = prof_auxv(AT_BASE);
    find_texts(memory);
    return memory;
}

/* Nothing but what the walker was told of stays open or mapped. */
static void end_look(struct prof_scan_memory *memory)
{
    prof_maps_close(&memory->maps);
    prof_scan_files_close(&memory->files);
}

static bool settle(struct prof_scan *scan)
{
    if (!prof_modules_settle(&scan->cfi->modules, &scan->cfi->cache))
        return false;
    release(scan->old);
    scan->old = NULL;
    return true;
}

bool prof_scan(struct prof_scan *scan)
{
    struct prof_cfi_engine *cfi = scan->cfi;
    if (!settle(scan))
        return false;
    struct prof_scan_memory *memory = look();
    if (memory == NULL)
        return false;
    if (!prof_modules_publish(
            &cfi->modules, memory->texts, memory->text_count, &cfi->cache)) {
        end_look(memory);
        release(memory);
        return false;
    }
    cfi->clips_stacks =
        (prof_auxv(AT_HWCAP2) & PROF_HWCAP2_THREAD_POINTER) != 0;
    publish_stacks(memory, cfi);
    retire_stacks(memory, scan->memory, cfi);
    end_look(memory);
    scan->old = scan->memory;
    scan->memory = memory;
    (void)settle(scan);
    return true;
}

/* What is remembered of a look is replaced: those that are gone, withdrawn. */
void prof_scan_stacks(struct prof_scan *scan)
{
    struct prof_scan_memory *memory = scan->memory;
    long base = sys_mmap(
        NULL, sizeof *memory, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == NULL || sys_is_error(base))
        return;
    struct prof_scan_memory *now = (struct prof_scan_memory *)base;
    if (prof_maps_open(&now->maps)) {
        publish_stacks(now, scan->cfi);
        retire_stacks(now, memory, scan->cfi);
        prof_maps_close(&now->maps);
        memory->stack_count = now->stack_count;
        for (uint32_t i = 0; i < now->stack_count; i++)
            memory->stacks[i] = now->stacks[i];
    }
    (void)sys_munmap(now, sizeof *now);
}

void prof_scan_release(struct prof_scan *scan)
{
    release(scan->old);
    release(scan->memory);
    scan->old = scan->memory = NULL;
}

/*
 * libcs keep the id in the block that the thread pointer points to, at an
 * offset of their own. It is believed when only one word there has its value.
 */
uint32_t prof_scan_tid_offset(uint32_t tid)
{
    uint32_t words[THREAD_BYTES / sizeof(uint32_t)], offset = 0;
    uint64_t thread = 0;
    struct prof_scan_files files;
    /* ARCH_GET_FS of arch_prctl(2) */
    if (sys_call2(__NR_arch_prctl, 0x1003L, &thread) != 0 || thread == 0 ||
        !prof_scan_files_open(&files))
        return 0;
    size_t bytes = prof_scan_memory_read(&files, thread, words, sizeof words);
    prof_scan_files_close(&files);
    for (uint32_t i = 1; i < bytes / sizeof words[0]; i++) {
        if (words[i] == tid && offset != 0)
            return 0;
        if (words[i] == tid)
            offset = i * (uint32_t)sizeof words[0];
    }
    return offset;
}
