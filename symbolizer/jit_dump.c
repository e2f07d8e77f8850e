/* Jitdumps: records of code that was loaded and moved, and of its lines. */
#include "symbolizer/jit_dump.h"

#include <stdlib.h>
#include <string.h>

#include "symbolizer/budget.h"
#include "symbolizer/bytes.h"

enum {
    JITDUMP_HEAD_BYTES = 16,       /* of a record: kind, size, time */
    JITDUMP_LOAD_BYTES = 40,       /* of one of code, before the name */
    JITDUMP_LINES_LIMIT = 1 << 24, /* bytes of one of lines */
    JIT_CODE_LOAD = 0,
    JIT_CODE_MOVE = 1,
    JIT_CODE_DEBUG_INFO = 2,
};

/* Lines that were told, of the code that is loaded next. */
struct told_lines {
    uint64_t start;
    uint32_t first, count;
};

/* One entry; true also when the record ends before it does. */
static bool add_entry(
    struct sym_jit_map *map, struct sym_bytes *record, struct told_lines *told,
    const char **file)
{
    static const char same_file[] = "\xff";
    uint64_t vaddr = sym_bytes_fixed(record, 8);
    struct sym_jit_line line = {
        .offset = vaddr - told->start,
        .line = (uint32_t)sym_bytes_fixed(record, 4),
        .discriminator = (uint32_t)sym_bytes_fixed(record, 4)};
    const char *name = sym_bytes_text(record);
    if (record->is_bad)
        return true;
    if (strcmp(name, same_file) != 0)
        *file =
            sym_jit_keep_text(map, name, strnlen(name, SYM_TEXT_LIMIT_BYTES));
    if (*file == NULL)
        return false;
    line.file = *file;
    /* They ascend; one that does not is damaged. */
    const struct sym_jit_line *before =
        told->count > 0 ? table_row(&map->lines, map->lines.count - 1) : NULL;
    if (vaddr < told->start || (before != NULL && before->offset > line.offset))
        return true;
    told->count++;
    return table_add(&map->lines, &line) != TABLE_NONE;
}

static bool add_lines(
    struct sym_jit_map *map, struct sym_bytes record, struct told_lines *told)
{
    *told = (struct told_lines){
        .start = sym_bytes_fixed(&record, 8), .first = map->lines.count};
    uint64_t left = sym_bytes_fixed(&record, 8);
    const char *file = "";
    map->lines.row_bytes = sizeof(struct sym_jit_line);
    for (; left > 0 && !record.is_bad && map->lines.count < SYM_JIT_ROWS;
         left--) {
        if (!add_entry(map, &record, told, &file))
            return false;
    }
    return true;
}

static bool add_load(
    struct sym_jit_map *map, struct sym_bytes record, struct told_lines *told)
{
    sym_bytes_skip(&record, 16); /* pid, tid, where it is in the ELF image */
    uint64_t start = sym_bytes_fixed(&record, 8);
    uint64_t size = sym_bytes_fixed(&record, 8);
    sym_bytes_skip(&record, 8); /* the number of the code */
    const char *name = sym_bytes_text(&record);
    struct sym_jit_code code = {.start = start, .size = size};
    if (told->start == start) {
        code.first_line = told->first;
        code.line_count = told->count;
    }
    *told = (struct told_lines){0};
    return record.is_bad || sym_jit_add_code(map, code, name);
}

/* Name and lines of what was last loaded at the old address go along. */
static bool add_move(struct sym_jit_map *map, struct sym_bytes record)
{
    sym_bytes_skip(&record, 16);
    uint64_t from = sym_bytes_fixed(&record, 8);
    uint64_t to = sym_bytes_fixed(&record, 8);
    uint64_t size = sym_bytes_fixed(&record, 8);
    /* A collector that moves code moves what was made of late. */
    enum { SEARCH_LIMIT = 1 << 12 };
    uint32_t left = map->codes.count < SEARCH_LIMIT ? map->codes.count
                                                    : (uint32_t)SEARCH_LIMIT;
    for (uint32_t id = map->codes.count; !record.is_bad && left > 0; left--) {
        struct sym_jit_code code =
            *(const struct sym_jit_code *)table_row(&map->codes, --id);
        if (code.start != from)
            continue;
        code.start = to;
        code.size = size;
        return sym_jit_add_code(map, code, code.name);
    }
    return true;
}

static bool add_record(
    struct sym_jit_map *map, uint64_t kind, struct sym_bytes record,
    struct told_lines *told)
{
    switch (kind) {
    case JIT_CODE_LOAD:
        return add_load(map, record, told);
    case JIT_CODE_MOVE:
        return add_move(map, record);
    case JIT_CODE_DEBUG_INFO:
        return add_lines(map, record, told);
    default:
        return true;
    }
}

/* What of a record is read: its code is not. */
static size_t bytes_of_use(uint64_t kind, uint64_t body_bytes)
{
    uint64_t limit = kind == JIT_CODE_DEBUG_INFO
                         ? (uint64_t)JITDUMP_LINES_LIMIT
                         : JITDUMP_LOAD_BYTES + SYM_TEXT_LIMIT_BYTES;
    return (size_t)(body_bytes < limit ? body_bytes : limit);
}

/* One record; `*at` goes to the next, or to the end. */
static bool take_record(
    struct sym_jit_map *map, const struct sym_jit_input *input, uint64_t *at,
    struct table *body, struct told_lines *told)
{
    uint8_t bytes[JITDUMP_HEAD_BYTES];
    struct sym_bytes head =
        sym_bytes_of(bytes, sym_jit_read(input, *at, bytes, sizeof bytes), 0);
    uint64_t kind = sym_bytes_fixed(&head, 4), size = sym_bytes_fixed(&head, 4);
    uint64_t start = *at + JITDUMP_HEAD_BYTES;
    *at += size;
    if (head.is_bad || size < JITDUMP_HEAD_BYTES || *at > input->count) {
        *at = UINT64_MAX; /* damaged, and no way to the next */
        return true;
    }
    size_t wanted = bytes_of_use(kind, size - JITDUMP_HEAD_BYTES);
    if (wanted > body->capacity) {
        uint8_t *rows = realloc(body->rows, wanted);
        if (rows == NULL)
            return false;
        body->rows = rows;
        body->capacity = (uint32_t)wanted;
    }
    size_t got =
        wanted > 0 ? sym_jit_read(input, start, body->rows, wanted) : 0;
    return add_record(map, kind, sym_bytes_of(body->rows, got, 0), told);
}

bool sym_jit_add_dump(
    struct sym_jit_map *map, const struct sym_jit_input *input)
{
    uint8_t bytes[12];
    struct sym_bytes head =
        sym_bytes_of(bytes, sym_jit_read(input, 0, bytes, sizeof bytes), 8);
    uint64_t at = sym_bytes_fixed(&head, 4);
    struct told_lines told = {0};
    struct table body = {.row_bytes = 1};
    bool is_ok = true;
    while (is_ok && !head.is_bad && at < SYM_JIT_FILE_BYTES &&
           at < input->count)
        is_ok = take_record(map, input, &at, &body, &told);
    table_fini(&body);
    return is_ok;
}
