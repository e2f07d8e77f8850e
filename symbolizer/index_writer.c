/* Collecting what an index will hold. */
#include "symbolizer/index_writer.h"

#include <string.h>

void sym_index_writer_init(
    struct sym_index_writer *writer, const struct sym_strings *texts,
    uint64_t base)
{
    *writer = (struct sym_index_writer){
        .texts = texts,
        .base = base,
        .places.row_bytes = sizeof(uint32_t),
        .answers.row_bytes = sizeof(struct sym_index_answer),
        .nodes.row_bytes = sizeof(struct sym_index_node),
        .sources.row_bytes = sizeof(struct sym_index_source),
        .strings.row_bytes = sizeof(uint32_t),
        .known.row_bytes = sizeof(uint32_t)};
    /* String 0 and source 0. */
    (void)sym_index_writer_source(writer, (struct sym_index_source){0});
}

void sym_index_writer_fini(struct sym_index_writer *writer)
{
    table_fini(&writer->places);
    table_fini(&writer->answers);
    table_fini(&writer->nodes);
    table_fini(&writer->sources);
    table_fini(&writer->strings);
    table_fini(&writer->known);
    index_fini(&writer->node_index);
    index_fini(&writer->source_index);
}

static void fail_with(struct sym_index_writer *writer, enum status status)
{
    if (writer->status == STATUS_OK)
        writer->status = status;
}

/* ---- what answers share ---- */

/* The string of an id of `texts`; 0 after a failure. */
static uint32_t string_of(struct sym_index_writer *writer, uint32_t id)
{
    static const uint32_t none = TABLE_NONE;
    if (id >= writer->texts->entries.count)
        return 0;
    while (writer->known.count <= id) {
        if (table_add(&writer->known, &none) == TABLE_NONE) {
            fail_with(writer, STATUS_NO_MEMORY);
            return 0;
        }
    }
    uint32_t *string = table_row(&writer->known, id);
    if (*string == TABLE_NONE)
        *string = table_add(&writer->strings, &id);
    if (*string != TABLE_NONE)
        return *string;
    fail_with(writer, STATUS_NO_MEMORY);
    return 0;
}

static bool is_same_row(const void *owner, uint32_t id, const void *key)
{
    const struct table *table = owner;
    return memcmp(table_row(table, id), key, table->row_bytes) == 0;
}

static uint32_t add_once(
    struct sym_index_writer *writer, struct table *table, struct index *index,
    const void *row)
{
    uint32_t hash = hash_bytes(row, table->row_bytes);
    uint32_t id = index_find(index, hash, is_same_row, table, row);
    if (id != TABLE_NONE)
        return id;
    id = table_add(table, row);
    if (id != TABLE_NONE && index_add(index, hash, id))
        return id;
    fail_with(writer, STATUS_NO_MEMORY);
    return 0;
}

uint32_t sym_index_writer_source(
    struct sym_index_writer *writer, struct sym_index_source source)
{
    source.file = string_of(writer, source.file);
    return add_once(writer, &writer->sources, &writer->source_index, &source);
}

static uint32_t distance(struct sym_index_writer *writer, uint64_t vaddr)
{
    if (vaddr >= writer->base && vaddr - writer->base <= UINT32_MAX)
        return (uint32_t)(vaddr - writer->base);
    fail_with(writer, STATUS_LIMIT);
    return 0;
}

uint32_t sym_index_writer_inlined(
    struct sym_index_writer *writer, uint32_t name, uint32_t caller,
    uint32_t call)
{
    struct sym_index_node node = {
        .name = string_of(writer, name), .caller = caller, .call = call};
    return add_once(writer, &writer->nodes, &writer->node_index, &node);
}

uint32_t sym_index_writer_body(
    struct sym_index_writer *writer, uint32_t name, uint64_t start)
{
    return sym_index_writer_inlined(
        writer, name, SYM_INDEX_NONE, distance(writer, start));
}

void sym_index_writer_answer(
    struct sym_index_writer *writer, uint64_t vaddr, uint32_t node,
    uint32_t source)
{
    uint32_t place = distance(writer, vaddr);
    struct sym_index_answer answer = {.node = node, .source = source};
    uint32_t count = writer->answers.count;
    if (count > 0 &&
        *(uint32_t *)table_row(&writer->places, count - 1) == place)
        writer->answers.count = writer->places.count = --count;
    if (count > 0 && memcmp(
                         table_row(&writer->answers, count - 1), &answer,
                         sizeof answer) == 0)
        return;
    if (table_add(&writer->places, &place) == TABLE_NONE ||
        table_add(&writer->answers, &answer) == TABLE_NONE)
        fail_with(writer, STATUS_NO_MEMORY);
}
