/* Building tables of rows; see the header. */
#include "profiler/unwind/row_table.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/table.h"

#define GRANULE_BYTES    (UINT64_C(1) << PROF_ROW_GRANULE_BITS)

/*
 * An FDE can claim any size; the table's must stay in proportion to the CFI's.
 * Programs have 10 bytes of text to one of .eh_frame.
 */
#define TEXT_BYTES_MIN   (UINT64_C(1) << 16)
#define TEXT_BYTES_MAX   (UINT64_C(1) << 30)
#define TEXT_PER_CFI_MAX 256

struct builder {
    const struct prof_cfi_source *source;
    struct table firsts, rows; /* of uint32_t */
    uint64_t start;
    uint64_t limit;      /* no row above */
    uint64_t end;        /* up to here the rows say something */
    uint32_t last;       /* the row in force there */
    uint64_t steps_left; /* more rows than this CFI has bytes for */
    bool is_out_of_memory;
};

/* Beside those that CFI asks for: where functions begin and end. */
enum { STEPS_A_FUNCTION = 4 };

static uint32_t pack(uint32_t row, uint64_t offset)
{
    uint32_t words = (uint32_t)(prof_row_cfa_bytes(row) / 8);
    uint32_t kind = prof_row_kind(row);
    if (words > PROF_TABLE_WORDS_MAX)
        return PROF_ROW_FULL << 8 | (uint32_t)(offset % GRANULE_BYTES);
    return words << 19 | prof_row_slot(row) << 11 | kind << 8 |
           (uint32_t)(offset % GRANULE_BYTES);
}

static void push(struct builder *builder, struct table *table, uint32_t word)
{
    if (table_add(table, &word) == TABLE_NONE)
        builder->is_out_of_memory = true;
}

/* Every granule up to the one that holds `offset` begins at the next row. */
static void open_granules(struct builder *builder, uint64_t offset)
{
    while (!builder->is_out_of_memory &&
           builder->firsts.count <= offset / GRANULE_BYTES)
        push(builder, &builder->firsts, builder->rows.count);
}

/* From `pc` on, `row` holds. */
static void add_row(struct builder *builder, uint64_t pc, uint32_t row)
{
    uint64_t offset = pc - builder->start;
    if (pc < builder->start || pc > builder->limit || builder->steps_left == 0)
        return; /* malformed */
    builder->steps_left--;
    open_granules(builder, offset);
    if (row == builder->last)
        return;
    push(builder, &builder->rows, pack(row, offset));
    builder->last = row;
}

/* The rows of one function, as far as `limit`, where the next one begins. */
static void add_function(
    struct builder *builder, uint64_t offset, uint64_t limit)
{
    struct prof_fde fde;
    struct prof_rows rows;
    const uint32_t none = prof_row_make(PROF_ROW_NONE, 0, 0);
    if (prof_fde_next(builder->source, &offset, &fde) != PROF_ENTRY_FDE)
        return;
    if (fde.start > builder->end)
        add_row(builder, builder->end, none);

    uint64_t end = fde.end < limit ? fde.end : limit;
    uint64_t covered = fde.start;
    prof_rows_begin(&rows, &fde);
    while (builder->steps_left > 0 && prof_rows_next(&rows) &&
           rows.start < end) {
        if (rows.start > covered)
            add_row(builder, covered, none);
        add_row(
            builder, rows.start, prof_row_encode(&rows.rules, builder->source));
        covered = rows.end;
    }
    if (covered < end)
        add_row(builder, covered, none); /* a malformed program */
    builder->end = end;
}

static int32_t index_word(const struct prof_cfi_source *source, uint32_t word)
{
    int32_t value;
    memcpy(&value, source->index + sizeof value * word, sizeof value);
    return value;
}

static uint64_t start_of(const struct prof_cfi_source *source, uint32_t pair)
{
    return source->index_pc_base +
           (uint64_t)(int64_t)index_word(source, 2 * pair);
}

static uint64_t offset_of(const struct prof_cfi_source *source, uint32_t pair)
{
    return source->index_fde_base +
           (uint64_t)(int64_t)index_word(source, 2 * pair + 1) -
           source->address;
}

static void add_functions(struct builder *builder)
{
    const struct prof_cfi_source *source = builder->source;
    for (uint32_t i = 0; i < source->index_count && builder->steps_left > 0;
         i++) {
        bool is_last = i + 1 == source->index_count;
        uint64_t limit = is_last ? builder->limit : start_of(source, i + 1);
        if (limit > builder->limit)
            limit = builder->limit;
        /* Of equal starts the last one counts, as in a lookup. */
        if (limit > start_of(source, i))
            add_function(builder, offset_of(source, i), limit);
    }
    add_row(builder, builder->end, prof_row_make(PROF_ROW_NONE, 0, 0));
}

static enum status finish(
    const struct builder *builder, struct prof_row_table **table,
    struct diag *diag)
{
    size_t firsts_bytes = sizeof(uint32_t) * builder->firsts.count;
    size_t rows_bytes = sizeof(uint32_t) * builder->rows.count;
    struct prof_row_table *made =
        builder->is_out_of_memory
            ? NULL
            : malloc(sizeof *made + firsts_bytes + rows_bytes);
    if (made == NULL)
        return fail(diag, STATUS_NO_MEMORY, "table of unwinding rows");
    *made = (struct prof_row_table){
        .magic = PROF_ROW_TABLE_MAGIC,
        .version = PROF_ROW_TABLE_VERSION,
        .start = builder->start,
        .granule_count = builder->firsts.count,
        .row_count = builder->rows.count,
    };
    memcpy(made->words, builder->firsts.rows, firsts_bytes);
    memcpy(made->words + made->granule_count, builder->rows.rows, rows_bytes);
    *table = made;
    return STATUS_OK;
}

static uint64_t text_bytes_max(const struct prof_cfi_source *source)
{
    uint64_t bytes = TEXT_BYTES_MIN + TEXT_PER_CFI_MAX * source->size_bytes;
    return bytes < TEXT_BYTES_MAX ? bytes : TEXT_BYTES_MAX;
}

enum status prof_row_table_build(
    const struct prof_cfi_source *source, struct prof_row_table **table,
    struct diag *diag)
{
    if (source->index_count == 0)
        return fail(
            diag, STATUS_UNSUPPORTED, "CFI without an index of functions");
    uint64_t last = start_of(source, source->index_count - 1);
    uint64_t start = start_of(source, 0) & ~(GRANULE_BYTES - 1);
    uint64_t limit = start + text_bytes_max(source);
    if (limit < start || last >= limit)
        return fail(
            diag, STATUS_UNSUPPORTED, "CFI for too large a range of text");
    struct builder builder = {
        .source = source,
        .firsts.row_bytes = sizeof(uint32_t),
        .rows.row_bytes = sizeof(uint32_t),
        .start = start,
        .limit = limit,
        .end = start,
        .last = UINT32_MAX,
        .steps_left = source->size_bytes +
                      (uint64_t)source->index_count * STEPS_A_FUNCTION,
    };
    add_functions(&builder);
    /* Rows outside of the text, or more of them than the CFI has bytes for. */
    bool is_malformed = builder.steps_left == 0 ||
                        (builder.rows.count == 0 && !builder.is_out_of_memory);
    enum status status = is_malformed
                             ? fail(diag, STATUS_UNSUPPORTED, "malformed CFI")
                             : finish(&builder, table, diag);
    table_fini(&builder.firsts);
    table_fini(&builder.rows);
    return status;
}
