/* Walks from outside; see the header. */
#include "profiler/collector/outside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "profiler/base/clock.h"
#include "profiler/collector/frame_search.h"
#include "profiler/unwind/modules.h"
#include "profiler/unwind/process_reader.h"
#include "profiler/unwind/sig_walker.h"

/* After maps that explained nothing. */
#define FRUITLESS_READ_NS UINT64_C(1000000000)

struct prof_outside {
    struct prof_modules modules;
    struct prof_row_cache cache;
    struct prof_process_reader reader;
    struct prof_process_reader code; /* for frame_search.h */
    struct prof_image_cache *images;
    struct table texts; /* struct prof_text, while reading the maps */
    uint32_t pid;
    bool is_read; /* the maps, at `version` */
    uint64_t version;
    uint64_t next_read_ns;
};

struct prof_outside *prof_outside_create(
    uint32_t pid, struct prof_image_cache *images)
{
    /* Two megabytes, of which most processes need a few pages. */
    struct prof_outside *made = mmap(
        NULL, sizeof *made, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (made == MAP_FAILED)
        return NULL;
    made->pid = pid;
    made->images = images;
    made->texts.row_bytes = sizeof(struct prof_text);
    made->modules.is_settled = true;
    return made;
}

void prof_outside_destroy(struct prof_outside *outside)
{
    if (outside == NULL)
        return;
    table_fini(&outside->texts);
    (void)munmap(outside, sizeof *outside);
}

/* Code without unwinding information is code all the same. */
static void add_texts(
    struct prof_outside *outside, const struct prof_maps_line *line)
{
    struct prof_text texts[8];
    uint32_t count = 0;
    uint64_t bias;
    const struct prof_image *image =
        prof_image_cache_get(outside->images, outside->pid, line);
    if (image != NULL &&
        prof_image_bias(image, line->start, line->offset, &bias))
        count = prof_image_texts(image, bias, texts, 8);
    if (count == 0)
        texts[count++] =
            (struct prof_text){.start = line->start, .end = line->end};
    (void)table_add_many(&outside->texts, texts, count);
}

static bool read_maps(struct prof_outside *outside)
{
    char *maps = prof_maps_read(outside->pid);
    if (maps == NULL)
        return false;
    char *rest = maps;
    outside->texts.count = 0;
    for (char *text; (text = strsep(&rest, "\n")) != NULL;) {
        struct prof_maps_line line;
        if (prof_maps_parse(text, &line) && prof_maps_is_code(&line))
            add_texts(outside, &line);
    }
    free(maps);
    uint32_t count = outside->texts.count;
    if (count > PROF_TEXTS_MAX)
        count = PROF_TEXTS_MAX;
    /* Nobody else reads this list: it settles at once. */
    if (prof_modules_publish(
            &outside->modules, outside->texts.rows, count, &outside->cache))
        (void)prof_modules_settle(&outside->modules, &outside->cache);
    return true;
}

bool prof_outside_prepare(struct prof_outside *outside, uint64_t version)
{
    if (outside->is_read && outside->version == version)
        return true;
    outside->is_read = true;
    outside->version = version;
    return read_maps(outside);
}

static bool is_known_code(struct prof_outside *outside, uint64_t pc)
{
    const struct prof_text_list *list = prof_modules_enter(&outside->modules);
    if (list == NULL)
        return false;
    bool is_known = prof_text_find(list, pc) != NULL;
    prof_modules_leave(&outside->modules, list);
    return is_known;
}

static void walk_once(
    struct prof_outside *outside, const struct prof_regs *regs,
    struct prof_walk *walk)
{
    prof_walk_stack(
        regs, &outside->reader.reader, &outside->modules, &outside->cache, NULL,
        walk);
    struct prof_frame_search search = {
        .modules = &outside->modules,
        .cache = &outside->cache,
        .stack = &outside->reader.reader,
        .code = &outside->code.reader};
    if (walk->end == PROF_WALK_INCOMPLETE)
        prof_frame_search(&search, walk);
}

/* Whether an incomplete walk may be for want of a module. */
static bool is_lost(struct prof_outside *outside, const struct prof_walk *walk)
{
    if (walk->end != PROF_WALK_INCOMPLETE)
        return false;
    uint64_t word = walk->frames[walk->count - 1];
    return !is_known_code(outside, prof_pc_of_word(word));
}

bool prof_outside_walk(
    struct prof_outside *outside, uint32_t tid, const struct prof_regs *regs,
    uint64_t version, struct prof_walk *walk)
{
    uint64_t word;
    prof_process_reader_init(&outside->reader, (pid_t)tid);
    prof_process_reader_init(&outside->code, (pid_t)tid);
    errno = 0;
    uint64_t sp = regs->value[PROF_REG_SP];
    if (!prof_reader_load(&outside->reader.reader, sp & ~UINT64_C(7), &word))
        return false;

    (void)prof_outside_prepare(outside, version);
    walk_once(outside, regs, walk);
    if (!is_lost(outside, walk))
        return true;
    uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
    if (now_ns >= outside->next_read_ns) {
        (void)read_maps(outside);
        walk_once(outside, regs, walk);
        outside->next_read_ns =
            is_lost(outside, walk) ? now_ns + FRUITLESS_READ_NS : 0;
    }
    return true;
}
