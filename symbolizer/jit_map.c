/* Pieces of code that a runtime made, by address. */
#include "symbolizer/jit_map.h"

#include <string.h>

#include "symbolizer/budget.h"
#include "symbolizer/spans.h"

/* ---- adding ---- */

const char *sym_jit_keep_text(
    struct sym_jit_map *map, const char *text, size_t bytes)
{
    if (map->strings.entries.count == 0 && !sym_strings_init(&map->strings))
        return NULL;
    uint32_t id = sym_strings_add(&map->strings, text, bytes);
    return id != SYM_NO_STRING ? sym_strings_text(&map->strings, id) : NULL;
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
