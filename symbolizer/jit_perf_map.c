/* Perf maps: a line for each piece of code. */
#include "symbolizer/jit_perf_map.h"

#include <stdlib.h>
#include <string.h>

#include "symbolizer/spans.h"

/* What is read at once of a map, and may be of a line. */
enum { CHUNK_BYTES = 1 << 16 };

/* ---- what is wanted ---- */

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

/* ---- lines ---- */

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

bool sym_jit_add_perf_map(
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
