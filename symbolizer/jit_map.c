/* Perf maps, and what is made of both kinds. */
#include "symbolizer/jit_map.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbolizer/budget.h"
#include "symbolizer/jit_input.h"
#include "symbolizer/spans.h"

/* What is read at once of a map, and may be of a line. */
enum { CHUNK_BYTES = 1 << 16 };

size_t sym_jit_read(
    const struct sym_jit_input *input, uint64_t offset, void *to, size_t count)
{
    if (offset >= input->count)
        return 0;
    if (count > input->count - offset)
        count = (size_t)(input->count - offset);
    if (input->bytes != NULL) {
        memcpy(to, input->bytes + offset, count);
        return count;
    }
    size_t done = 0;
    while (done < count) {
        ssize_t got = pread(
            input->fd, (char *)to + done, count - done, (off_t)(offset + done));
        if (got <= 0)
            break; /* what was read is of use */
        done += (size_t)got;
    }
    return done;
}

/* ---- adding ---- */

const char *sym_jit_keep_text(
    struct sym_jit_map *map, const char *text, size_t bytes)
{
    if (map->strings.entries.count == 0 && !sym_strings_init(&map->strings))
        return NULL;
    uint32_t id = sym_strings_add(&map->strings, text, bytes);
    return id != SYM_NO_STRING ? sym_strings_text(&map->strings, id) : NULL;
}

/* How many of the wanted addresses are below `pc`. */
static uint32_t wanted_below(const struct sym_jit_map *map, uint64_t pc)
{
    uint32_t low = 0, high = map->wanted_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (map->wanted[middle] < pc)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_wanted(
    const struct sym_jit_map *map, uint64_t start, uint64_t size)
{
    if (map->wanted == NULL)
        return true;
    uint32_t first = wanted_below(map, start);
    return first < map->wanted_count && map->wanted[first] - start < size;
}

/*
 * Keep only what answers for the addresses that are wanted: a runtime that
 * makes code in the same place over and over writes a line each time.
 */
static bool drop_covered(struct sym_jit_map *map)
{
    struct table kept = {.row_bytes = sizeof(struct sym_jit_code)};
    bool *is_of_use = calloc(map->codes.count, sizeof *is_of_use);
    bool is_ok = is_of_use != NULL && sym_jit_map_finish(map);
    for (uint32_t i = 0; is_ok && i < map->wanted_count; i++) {
        const struct sym_span *span =
            sym_spans_find(&map->spans, map->wanted[i]);
        if (span != NULL)
            is_of_use[span->owner] = true;
    }
    for (uint32_t i = 0; is_ok && i < map->codes.count; i++) {
        if (is_of_use[i])
            is_ok = table_add(&kept, table_row(&map->codes, i)) != TABLE_NONE;
    }
    free(is_of_use);
    if (!is_ok) {
        table_fini(&kept);
        return false;
    }
    table_fini(&map->codes);
    map->codes = kept;
    return true;
}

bool sym_jit_add_code(
    struct sym_jit_map *map, struct sym_jit_code code, const char *name)
{
    size_t bytes = strnlen(name, SYM_TEXT_LIMIT_BYTES);
    if (code.size == 0 || code.size > UINT64_MAX - code.start || bytes == 0 ||
        map->codes.count >= SYM_JIT_ROWS)
        return true;
    map->codes.row_bytes = sizeof code;
    code.name = sym_jit_keep_text(map, name, bytes);
    return code.name != NULL && table_add(&map->codes, &code) != TABLE_NONE;
}

/* ---- perf maps ---- */

/* "START SIZE NAME"; the name may have blanks. */
static bool add_line(struct sym_jit_map *map, const char *line)
{
    char *after;
    uint64_t start = strtoull(line, &after, 16);
    if (after == line || *after != ' ')
        return true;
    const char *second = after;
    uint64_t size = strtoull(second, &after, 16);
    if (after == second || *after != ' ' || !is_wanted(map, start, size))
        return true;
    uint64_t limit = 2 * (uint64_t)map->wanted_count + CHUNK_BYTES;
    if (map->wanted != NULL && map->codes.count >= limit && !drop_covered(map))
        return false;
    struct sym_jit_code code = {.start = start, .size = size};
    return sym_jit_add_code(map, code, after + strspn(after, " "));
}

/* The lines in the buffer that have an end; what is left over moves to its
   beginning. */
static bool add_lines_of(
    struct sym_jit_map *map, char *buffer, size_t *held, bool *is_cut)
{
    char *line = buffer, *end;
    while ((end = memchr(line, '\n', *held - (size_t)(line - buffer))) !=
           NULL) {
        *end = '\0';
        if (!*is_cut && !add_line(map, line))
            return false;
        *is_cut = false;
        line = end + 1;
    }
    *held -= (size_t)(line - buffer);
    memmove(buffer, line, *held);
    if (*held == CHUNK_BYTES) { /* a line without an end is none */
        *is_cut = true;
        *held = 0;
    }
    return true;
}

static bool add_perf_map(
    struct sym_jit_map *map, const struct sym_jit_input *input)
{
    char *buffer = malloc(CHUNK_BYTES + 1);
    uint64_t at = input->count > SYM_JIT_FILE_BYTES
                      ? input->count - SYM_JIT_FILE_BYTES
                      : 0;
    bool is_cut = at > 0, is_ok = buffer != NULL;
    size_t held = 0, got = 1;
    while (is_ok && got > 0) {
        got = sym_jit_read(input, at, buffer + held, CHUNK_BYTES - held);
        bool is_text = memchr(buffer + held, '\0', got) == NULL;
        at += got;
        held += got;
        is_ok = add_lines_of(map, buffer, &held, &is_cut);
        if (!is_text)
            break; /* a hole, of any size */
    }
    if (is_ok && !is_cut) {
        buffer[held] = '\0';
        is_ok = add_line(map, buffer);
    }
    free(buffer);
    return is_ok;
}

/* ---- files ---- */

static enum status add_input(
    struct sym_jit_map *map, const struct sym_jit_input *input)
{
    uint32_t magic = 0;
    (void)sym_jit_read(input, 0, &magic, sizeof magic);
    bool is_ok = magic == SYM_JITDUMP_MAGIC ? sym_jit_add_dump(map, input)
                                            : add_perf_map(map, input);
    return is_ok ? STATUS_OK : STATUS_NO_MEMORY;
}

static enum status add_open_file(
    struct sym_jit_map *map, int fd, const char *path, struct diag *diag)
{
    struct stat identity;
    if (fstat(fd, &identity) != 0)
        return fail(diag, STATUS_SYSTEM, "stat '%s'", path);
    if (!S_ISREG(identity.st_mode))
        return fail(diag, STATUS_UNSUPPORTED, "'%s' is no regular file", path);
    const struct sym_jit_input input = {
        .fd = fd, .count = (uint64_t)identity.st_size};
    enum status status = add_input(map, &input);
    return status == STATUS_OK ? status
                               : fail(diag, status, "no memory for '%s'", path);
}

enum status sym_jit_map_add_file(
    struct sym_jit_map *map, const char *path, struct diag *diag)
{
    /* In /tmp anyone may put anything under this name: no link is followed,
       no FIFO waited for. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return fail(diag, STATUS_SYSTEM, "open '%s'", path);
    enum status status = add_open_file(map, fd, path, diag);
    (void)close(fd);
    return status;
}

enum status sym_jit_map_add_bytes(
    struct sym_jit_map *map, const void *bytes, size_t count)
{
    const struct sym_jit_input input = {.bytes = bytes, .count = count};
    return add_input(map, &input);
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
    sym_strings_fini(&map->strings);
    table_fini(&map->codes);
    table_fini(&map->lines);
    table_fini(&map->spans);
}
