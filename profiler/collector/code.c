/* The code of another process; see the header. */
#include "profiler/collector/code.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "profiler/unwind/modules.h"
#include "profiler/unwind/sig_lookup.h"

/* Such code is some forty bytes long. */
enum { ENTRY_BYTES = 64 };

/* A file that code is of. */
struct prof_code_file {
    uint64_t start, end, bias;
    struct prof_image *image;
};

struct prof_code *prof_code_create(
    uint32_t pid, struct prof_image_cache *images)
{
    /* Two megabytes, of which most processes need a few pages. */
    struct prof_code *made = mmap(
        NULL, sizeof *made, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (made == MAP_FAILED)
        return NULL;
    made->pid = pid;
    made->images = images;
    made->texts.row_bytes = sizeof(struct prof_text);
    made->entries.row_bytes = sizeof(uint64_t);
    made->files.row_bytes = sizeof(struct prof_code_file);
    prof_bare_rows_init(&made->bare);
    made->modules.is_settled = true;
    return made;
}

void prof_code_destroy(struct prof_code *code)
{
    if (code == NULL)
        return;
    table_fini(&code->texts);
    table_fini(&code->entries);
    table_fini(&code->files);
    prof_bare_rows_fini(&code->bare);
    (void)munmap(code, sizeof *code);
}

static void remove_texts(struct prof_code *code, uint64_t start, uint64_t end)
{
    struct prof_text *texts = code->texts.rows;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < code->texts.count; i++) {
        if (texts[i].start >= end || texts[i].end <= start)
            texts[kept++] = texts[i];
    }
    code->texts.count = kept;
    struct prof_code_file *files = code->files.rows;
    kept = 0;
    for (uint32_t i = 0; i < code->files.count; i++) {
        if (files[i].start >= end || files[i].end <= start)
            files[kept++] = files[i];
    }
    code->files.count = kept;
}

/* Code without unwinding information is code all the same. */
static void add_texts(struct prof_code *code, const struct prof_maps_line *line)
{
    struct prof_text texts[8];
    uint32_t count = 0;
    uint64_t bias;
    struct prof_image *image =
        prof_image_cache_get(code->images, code->pid, line);
    if (image != NULL &&
        prof_image_bias(image, line->start, line->offset, &bias)) {
        count = prof_image_texts(image, bias, texts, 8);
        uint64_t entry = bias + prof_image_entry(image);
        if (entry != bias && code->entries.count < PROF_TEXTS_MAX)
            (void)table_add(&code->entries, &entry);
        const struct prof_code_file file = {
            line->start, line->end, bias, image};
        (void)table_add(&code->files, &file);
    }
    if (count == 0)
        texts[count++] =
            (struct prof_text){.start = line->start, .end = line->end};
    (void)table_add_many(&code->texts, texts, count);
    code->is_changed = true;
}

void prof_code_map(struct prof_code *code, const struct prof_maps_line *line)
{
    remove_texts(code, line->start, line->end);
    add_texts(code, line);
}

void prof_code_publish(struct prof_code *code)
{
    uint32_t count = code->texts.count;
    if (!code->is_changed)
        return;
    code->is_changed = false;
    if (count > PROF_TEXTS_MAX)
        count = PROF_TEXTS_MAX;
    if (prof_modules_publish(
            &code->modules, code->texts.rows, count, &code->cache))
        (void)prof_modules_settle(&code->modules, &code->cache);
}

bool prof_code_read_maps(struct prof_code *code)
{
    char *maps = prof_maps_read(code->pid);
    if (maps == NULL)
        return false;
    char *rest = maps;
    code->texts.count = code->entries.count = code->files.count = 0;
    code->is_changed = true;
    for (char *text; (text = strsep(&rest, "\n")) != NULL;) {
        struct prof_maps_line line;
        if (prof_maps_parse(text, &line) && prof_maps_is_code(&line))
            add_texts(code, &line);
    }
    free(maps);
    prof_code_publish(code);
    return true;
}

uint32_t prof_code_frames(struct prof_code *code, const struct prof_walk *walk)
{
    const struct prof_text_list *list = prof_modules_enter(&code->modules);
    if (list == NULL)
        return 0;
    uint32_t count = 0;
    while (count < walk->count &&
           prof_text_find(list, prof_pc_of_word(walk->frames[count])) != NULL)
        count++;
    prof_modules_leave(&code->modules, list);
    return count;
}

bool prof_code_holds(struct prof_code *code, uint64_t pc)
{
    const struct prof_text_list *list = prof_modules_enter(&code->modules);
    if (list == NULL)
        return false;
    bool is_known = prof_text_find(list, pc) != NULL;
    prof_modules_leave(&code->modules, list);
    return is_known;
}

uint64_t prof_code_function(struct prof_modules *modules, uint64_t pc)
{
    struct prof_lookup lookup;
    uint64_t start = 0;
    const struct prof_text_list *list = prof_modules_enter(modules);
    if (list == NULL)
        return 0;
    const struct prof_text *text = prof_text_find(list, pc);
    if (text != NULL &&
        prof_lookup_rules(text, pc + 1, &lookup) == PROF_FOUND_RULES)
        start = lookup.fde.start;
    prof_modules_leave(modules, list);
    return start;
}

static const struct prof_code_file *file_at(
    const struct prof_code *code, uint64_t pc)
{
    for (uint32_t i = 0; i < code->files.count; i++) {
        const struct prof_code_file *file = table_row(&code->files, i);
        if (pc - file->start < file->end - file->start)
            return file;
    }
    return NULL;
}

uint64_t prof_code_symbol(const struct prof_code *code, uint64_t pc)
{
    const struct prof_code_file *file = file_at(code, pc);
    if (file == NULL)
        return 0;
    uint64_t start = prof_image_function(file->image, pc - file->bias);
    return start != 0 ? start + file->bias : 0;
}

bool prof_code_has_go(const struct prof_code *code)
{
    for (uint32_t i = 0; i < code->files.count; i++) {
        const struct prof_code_file *file = table_row(&code->files, i);
        if (prof_image_is_go(file->image))
            return true;
    }
    return false;
}

bool prof_code_is_go(const struct prof_code *code, uint64_t pc)
{
    const struct prof_code_file *file = file_at(code, pc);
    return file != NULL && prof_image_is_go(file->image);
}

bool prof_code_is_entry(const struct prof_code *code, uint64_t pc)
{
    for (uint32_t i = 0; i < code->entries.count; i++) {
        const uint64_t *entry = table_row(&code->entries, i);
        if (pc - *entry < ENTRY_BYTES)
            return true;
    }
    return false;
}
