/*
 * Any bytes as the sections of DWARF, without an ELF file and libdw around
 * them: functions, inlined calls, names, ranges and lines of one unit. Every
 * pass ends in bounded memory, and nodes and spans point at each other.
 *
 *   byte 0       bit 0: the unit is the split half of a skeleton
 *   bytes 1-18   the lengths of the sections, 2 bytes each, in the order of
 *                enum part; then the sections, the last up to the end
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/scan.h"
#include "symbolizer/spans.h"

enum part {
    INFO,
    ABBREV,
    STR,
    LINE_STR,
    STR_OFFSETS,
    ADDR,
    RANGES,
    RNGLISTS,
    LINE,
    PARTS
};

static void check_tree(
    const struct table *nodes, const struct table *spans,
    const struct sym_strings *strings)
{
    for (uint32_t id = 0; id < nodes->count; id++) {
        const struct sym_node *node = table_row(nodes, id);
        if (node->parent != SYM_NO_NODE && node->parent >= id)
            abort(); /* parents come first, so walks end */
        if (node->name >= strings->entries.count)
            abort();
    }
    uint64_t last = 0;
    for (uint32_t i = 0; i < spans->count; i++) {
        const struct sym_span *span = table_row(spans, i);
        if (span->start < last || span->end <= span->start ||
            span->owner >= nodes->count)
            abort();
        last = span->end;
    }
}

static void scan(const struct sym_unit_source *source)
{
    struct sym_image image = {0}; /* without segments all code is alive */
    struct sym_strings strings;
    struct sym_die_names names;
    struct sym_tree tree;
    struct table nodes = {0}, spans = {0};
    uint64_t language;
    if (!sym_strings_init(&strings))
        abort();
    sym_die_names_init(&names, &strings);
    sym_tree_init(&tree, &image, &nodes, &spans, NULL);
    (void)sym_scan_unit(&tree, &names, source, &language);
    sym_tree_fini(&tree);
    if (!sym_spans_flatten(&spans))
        abort();
    check_tree(&nodes, &spans, &strings);
    table_fini(&nodes);
    table_fini(&spans);
    sym_die_names_fini(&names);
    sym_strings_fini(&strings);
}

static void read_lines(
    const struct sym_unit_source *source, struct sym_section_bytes line)
{
    struct sym_strings strings;
    struct sym_lines lines;
    struct sym_line_input input = {
        .line = line,
        .line_str = source->line_str,
        .str = source->str,
        .comp_dir = "/folder"};
    if (!sym_strings_init(&strings) ||
        sym_lines_read(&lines, &input, NULL) == STATUS_NO_MEMORY)
        abort();
    uint64_t last = 0;
    for (uint32_t i = 0; i < lines.rows.count; i++) {
        const struct sym_line_row *row = table_row(&lines.rows, i);
        if (i > 0 && row->vaddr <= last)
            abort();
        last = row->vaddr;
        if (row->file != SYM_NO_FILE &&
            (sym_lines_find(&lines, row->vaddr) != row ||
             sym_line_files_path(&lines.files, &strings, row->file) ==
                 SYM_NO_STRING))
            abort();
    }
    sym_lines_fini(&lines);
    sym_strings_fini(&strings);
}

/* A copy exactly as large as the section, for its end to be seen. */
static struct sym_section_bytes copy(const uint8_t *bytes, size_t count)
{
    void *copied = malloc(count + (count == 0));
    if (copied == NULL)
        abort();
    memcpy(copied, bytes, count);
    return (struct sym_section_bytes){.start = copied, .count = count};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 + 2 * PARTS)
        return 0;
    struct sym_section_bytes parts[PARTS];
    size_t at = 1 + 2 * PARTS;
    for (unsigned i = 0; i < PARTS; i++) {
        size_t left = size - at;
        size_t wanted = data[1 + 2 * i] | (size_t)data[2 + 2 * i] << 8;
        size_t count = wanted < left ? wanted : left;
        parts[i] = copy(data + at, count);
        at += count;
    }
    struct sym_unit_source source = {
        .info = parts[INFO],
        .abbrev = parts[ABBREV],
        .str = parts[STR],
        .line_str = parts[LINE_STR],
        .str_offsets = parts[STR_OFFSETS],
        .bases = {
            .addr = parts[ADDR],
            .ranges = parts[RANGES],
            .rnglists = parts[RNGLISTS]}};
    if ((data[0] & 1) != 0) {
        source.is_split = true;
        source.string_table = source.bases.address_table = 8;
        source.bases.range_table = 12;
    }
    scan(&source);
    read_lines(&source, parts[LINE]);
    for (unsigned i = 0; i < PARTS; i++)
        free((void *)(uintptr_t)parts[i].start);
    return 0;
}
