/* Any bytes as a perf map or a jitdump: names stay inside what was read. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/jit_map.h"

static void check(
    const struct sym_jit_map *map, const struct sym_jit_code *code)
{
    const char *text = *(char **)table_row(&map->texts, 0);
    if (code->name < text || code->name[0] == '\0' || code->size == 0)
        abort();
    (void)strlen(code->name); /* AddressSanitizer sees its end */
    const struct sym_jit_code *found = sym_jit_map_find(map, code->start);
    if (found != NULL)
        (void)sym_jit_map_line(map, found, code->start);
    if (found == NULL || found->start > code->start ||
        code->start - found->start >= found->size)
        abort();
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
    (void)sym_jit_map_find(&map, 0);
    (void)sym_jit_map_find(&map, UINT64_MAX);
    sym_jit_map_fini(&map);
    return 0;
}
