/* Perf maps and jitdumps. */
#include "symbolizer/jit_map.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbolizer/bytes.h"
#include "symbolizer/spans.h"

/* A large Java server writes 50 MB, with its code a jitdump of 500. */
#define FILE_LIMIT_BYTES (INT64_C(1) << 30)

/* ---- adding ---- */

static bool add_code(struct sym_jit_map *map, struct sym_jit_code code)
{
    if (code.size == 0 || code.size > UINT64_MAX - code.start ||
        code.name[0] == '\0')
        return true;
    map->codes.row_bytes = sizeof code;
    return table_add(&map->codes, &code) != TABLE_NONE;
}

/* "START SIZE NAME"; the name may have blanks. */
static bool add_line(struct sym_jit_map *map, const char *line)
{
    char *after;
    uint64_t start = strtoull(line, &after, 16);
    if (after == line || *after != ' ')
        return true;
    const char *second = after;
    uint64_t size = strtoull(second, &after, 16);
    if (after == second || *after != ' ')
        return true;
    struct sym_jit_code code = {
        .start = start, .size = size, .name = after + strspn(after, " ")};
    return add_code(map, code);
}

static bool add_perf_map(struct sym_jit_map *map, char *text)
{
    while (*text != '\0') {
        char *end = text + strcspn(text, "\n");
        bool is_last = *end == '\0';
        *end = '\0';
        if (!add_line(map, text))
            return false;
        text = is_last ? end : end + 1;
    }
    return true;
}

/* ---- jitdump ---- */

enum {
    JITDUMP_MAGIC = 0x4a695444,
    JITDUMP_HEAD_BYTES = 16, /* of a record: kind, size, time */
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
        *file = name;
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
    for (; left > 0 && !record.is_bad; left--) {
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
    struct sym_jit_code code = {
        .start = start, .size = size, .name = sym_bytes_text(&record)};
    if (told->start == start) {
        code.first_line = told->first;
        code.line_count = told->count;
    }
    *told = (struct told_lines){0};
    return record.is_bad || add_code(map, code);
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
        return add_code(map, code);
    }
    return true;
}

static bool add_jitdump(struct sym_jit_map *map, const char *text, size_t count)
{
    struct sym_bytes bytes = sym_bytes_of(text, count, 8);
    uint64_t head_bytes = sym_bytes_fixed(&bytes, 4);
    struct told_lines told = {0};
    bytes = sym_bytes_of(text, count, head_bytes);
    while (sym_bytes_left(&bytes) >= JITDUMP_HEAD_BYTES) {
        uint64_t kind = sym_bytes_fixed(&bytes, 4);
        uint64_t size = sym_bytes_fixed(&bytes, 4);
        sym_bytes_skip(&bytes, 8); /* time */
        if (size < JITDUMP_HEAD_BYTES)
            return true; /* damaged, and no way to the next */
        struct sym_bytes record =
            sym_bytes_take(&bytes, size - JITDUMP_HEAD_BYTES);
        bool is_ok = true;
        if (kind == JIT_CODE_LOAD)
            is_ok = add_load(map, record, &told);
        else if (kind == JIT_CODE_MOVE)
            is_ok = add_move(map, record);
        else if (kind == JIT_CODE_DEBUG_INFO)
            is_ok = add_lines(map, record, &told);
        if (!is_ok)
            return false;
    }
    return true;
}

/* ---- files ---- */

/* Take `text`, of `count` bytes with a NUL behind them. */
static enum status adopt(struct sym_jit_map *map, char *text, size_t count)
{
    uint32_t magic = 0;
    map->texts.row_bytes = sizeof text;
    if (table_add(&map->texts, &text) == TABLE_NONE) {
        free(text);
        return STATUS_NO_MEMORY;
    }
    if (count >= sizeof magic)
        memcpy(&magic, text, sizeof magic);
    bool is_ok = magic == JITDUMP_MAGIC ? add_jitdump(map, text, count)
                                        : add_perf_map(map, text);
    return is_ok ? STATUS_OK : STATUS_NO_MEMORY;
}

static enum status read_file(
    int fd, const char *path, char **text, size_t *count, struct diag *diag)
{
    struct stat identity;
    if (fstat(fd, &identity) != 0)
        return fail(diag, STATUS_SYSTEM, "stat '%s'", path);
    if (!S_ISREG(identity.st_mode))
        return fail(diag, STATUS_UNSUPPORTED, "'%s' is no regular file", path);
    if (identity.st_size > FILE_LIMIT_BYTES)
        return fail(diag, STATUS_LIMIT, "'%s' is too large to be read", path);
    size_t room = (size_t)identity.st_size;
    *text = malloc(room + 1);
    if (*text == NULL)
        return fail(diag, STATUS_NO_MEMORY, "no memory for '%s'", path);
    *count = 0;
    while (*count < room) {
        ssize_t got = read(fd, *text + *count, room - *count);
        if (got <= 0)
            break; /* what was read is of use */
        *count += (size_t)got;
    }
    (*text)[*count] = '\0';
    return STATUS_OK;
}

enum status sym_jit_map_add_file(
    struct sym_jit_map *map, const char *path, struct diag *diag)
{
    /* In /tmp anyone may put anything under this name: no link is followed,
       no FIFO waited for. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return fail(diag, STATUS_SYSTEM, "open '%s'", path);
    char *text = NULL;
    size_t count = 0;
    enum status status = read_file(fd, path, &text, &count, diag);
    (void)close(fd);
    return status == STATUS_OK ? adopt(map, text, count) : status;
}

enum status sym_jit_map_add_bytes(
    struct sym_jit_map *map, const void *bytes, size_t count)
{
    char *text = malloc(count + 1);
    if (text == NULL)
        return STATUS_NO_MEMORY;
    memcpy(text, bytes, count);
    text[count] = '\0';
    return adopt(map, text, count);
}

/* ---- finding ---- */

bool sym_jit_map_finish(struct sym_jit_map *map)
{
    const struct sym_jit_code *codes = map->codes.rows;
    map->spans.count = 0;
    map->spans.row_bytes = sizeof(struct sym_span);
    for (uint32_t id = 0; id < map->codes.count; id++) {
        struct sym_span span = {
            .start = codes[id].start,
            .end = codes[id].start + codes[id].size,
            .owner = id};
        if (table_add(&map->spans, &span) == TABLE_NONE)
            return false;
    }
    return sym_spans_flatten(&map->spans);
}

const struct sym_jit_code *sym_jit_map_find(
    const struct sym_jit_map *map, uint64_t pc)
{
    const struct sym_span *span = sym_spans_find(&map->spans, pc);
    return span != NULL ? table_row(&map->codes, span->owner) : NULL;
}

const struct sym_jit_line *sym_jit_map_line(
    const struct sym_jit_map *map, const struct sym_jit_code *code, uint64_t pc)
{
    const struct sym_jit_line *rows = map->lines.rows;
    uint32_t low = code->first_line, high = low + code->line_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (rows[middle].offset <= pc - code->start)
            low = middle + 1;
        else
            high = middle;
    }
    return low > code->first_line ? &rows[low - 1] : NULL;
}

void sym_jit_map_fini(struct sym_jit_map *map)
{
    for (uint32_t i = 0; i < map->texts.count; i++)
        free(*(char **)table_row(&map->texts, i));
    table_fini(&map->texts);
    table_fini(&map->codes);
    table_fini(&map->lines);
    table_fini(&map->spans);
}
