/*
 * Any bytes as a perf map or a jitdump: names have an end, and a map that
 * keeps only what is wanted says of that what the whole one says.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/jit_file.h"

enum { WANTED_MAX = 64 };

static void check(
    const struct sym_jit_map *map, const struct sym_jit_code *code)
{
    if (strlen(code->name) == 0 || code->size == 0)
        abort();
    const struct sym_jit_code *found = sym_jit_map_find(map, code->start);
    if (found != NULL)
        (void)sym_jit_map_line(map, found, code->start);
    if (found == NULL || found->start > code->start ||
        code->start - found->start >= found->size)
        abort();
}

static int by_value(const void *left, const void *right)
{
    const uint64_t *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

static void check_wanted(
    const struct sym_jit_map *whole, const uint8_t *data, size_t size)
{
    uint64_t wanted[WANTED_MAX];
    struct sym_jit_map map = {.wanted = wanted};
    const struct sym_jit_code *codes = whole->codes.rows;
    for (uint32_t i = 0; i < whole->codes.count && i < WANTED_MAX; i++)
        wanted[map.wanted_count++] = codes[i].start + codes[i].size / 2;
    qsort(wanted, map.wanted_count, sizeof wanted[0], by_value);
    if (sym_jit_map_add_bytes(&map, data, size) != STATUS_OK ||
        !sym_jit_map_finish(&map))
        abort();
    for (uint32_t i = 0; i < map.wanted_count; i++) {
        const struct sym_jit_code *one = sym_jit_map_find(whole, wanted[i]);
        const struct sym_jit_code *two = sym_jit_map_find(&map, wanted[i]);
        if (one == NULL || two == NULL || strcmp(one->name, two->name) != 0)
            abort();
    }
    sym_jit_map_fini(&map);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sym_jit_map map = {0};
    if (sym_jit_map_add_bytes(&map, data, size) != STATUS_OK ||
        !sym_jit_map_finish(&map))
        abort();
    for (uint32_t i = 0; i < map.codes.count; i++)
        check(&map, table_row(&map.codes, i));
    check_wanted(&map, data, size);
    (void)sym_jit_map_find(&map, 0);
    (void)sym_jit_map_find(&map, UINT64_MAX);
    sym_jit_map_fini(&map);
    return 0;
}
