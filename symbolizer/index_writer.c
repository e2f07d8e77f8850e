/* Collecting an index and writing it out. */
#include "symbolizer/index_writer.h"

#include <string.h>
#include <unistd.h>

#include "symbolizer/index_pack.h"

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

/* ---- writing ---- */

/* Blocks on their way to a file. */
struct stream {
    int fd;
    uint64_t offset;         /* in the file, of the block at hand */
    struct table *checksums; /* uint64_t */
    uint32_t used;
    bool is_broken; /* a write failed: see errno */
    bool is_out_of_memory;
    uint8_t block[SYM_INDEX_BLOCK_BYTES];
};

static bool write_at(int fd, const void *bytes, size_t count, uint64_t offset)
{
    const char *from = bytes;
    while (count > 0) {
        ssize_t done = pwrite(fd, from, count, (off_t)offset);
        if (done <= 0)
            return false;
        from += done;
        count -= (size_t)done;
        offset += (uint64_t)done;
    }
    return true;
}

static void flush(struct stream *stream)
{
    uint64_t checksum = sym_index_checksum(stream->block, stream->used);
    if (stream->used == 0)
        return;
    if (table_add(stream->checksums, &checksum) == TABLE_NONE)
        stream->is_out_of_memory = true;
    if (!stream->is_broken &&
        !write_at(stream->fd, stream->block, stream->used, stream->offset))
        stream->is_broken = true;
    stream->offset += stream->used;
    stream->used = 0;
}

static void put(struct stream *stream, const void *bytes, size_t count)
{
    const uint8_t *from = bytes;
    while (count > 0) {
        size_t step = SYM_INDEX_BLOCK_BYTES - stream->used;
        if (step > count)
            step = count;
        memcpy(stream->block + stream->used, from, step);
        stream->used += (uint32_t)step;
        from += step;
        count -= step;
        if (stream->used == SYM_INDEX_BLOCK_BYTES)
            flush(stream);
    }
}

/* A part, rounded up to 8 bytes. */
static void put_words(struct stream *stream, const struct table *table)
{
    static const uint8_t zeros[8];
    size_t bytes = (size_t)table->count * table->row_bytes;
    put(stream, table->rows, bytes);
    put(stream, zeros, (8 - bytes % 8) % 8);
}

static enum status write_parts(
    struct stream *stream, const struct sym_index_packed *packed,
    struct diag *diag)
{
    static const uint8_t slack[SYM_INDEX_SLACK];
    put_words(stream, &packed->directory);
    put_words(stream, &packed->groups);
    put(stream, packed->places.rows, packed->places.count);
    put(stream, packed->nodes.rows, packed->nodes.count);
    put(stream, slack, sizeof slack);
    put(stream, packed->text.rows, packed->text.count);
    flush(stream);
    if (stream->is_out_of_memory)
        return fail(diag, STATUS_NO_MEMORY, "no memory for an index");
    return stream->is_broken
               ? fail(diag, STATUS_SYSTEM, "cannot write an index")
               : STATUS_OK;
}

/* Last, so that a file without its head is no index. */
static enum status write_head(
    int fd, struct sym_index_header *header, const struct table *checksums,
    struct diag *diag)
{
    header->checksums_checksum = sym_index_checksum(
        checksums->rows, sizeof(uint64_t) * (size_t)checksums->count);
    header->header_checksum = sym_index_checksum(
        header, offsetof(struct sym_index_header, header_checksum));
    if (!write_at(
            fd, checksums->rows, sizeof(uint64_t) * (size_t)checksums->count,
            sizeof *header) ||
        !write_at(fd, header, sizeof *header, 0))
        return fail(diag, STATUS_SYSTEM, "cannot write an index");
    return STATUS_OK;
}

static enum status write_packed(
    const struct sym_index_packed *packed, int fd,
    struct sym_index_header *header, struct diag *diag)
{
    struct table checksums = {.row_bytes = sizeof(uint64_t)};
    struct stream stream = {
        .fd = fd,
        .offset = sym_index_layout(header).directory,
        .checksums = &checksums};
    enum status status = write_parts(&stream, packed, diag);
    if (status == STATUS_OK)
        status = write_head(fd, header, &checksums, diag);
    table_fini(&checksums);
    return status;
}

enum status sym_index_writer_save(
    struct sym_index_writer *writer, int fd, uint64_t key, struct diag *diag)
{
    if (writer->status != STATUS_OK)
        return fail(diag, writer->status, "no room for an index");
    struct sym_index_packed packed;
    enum status status =
        sym_index_pack(&packed, writer)
            ? STATUS_OK
            : fail(diag, STATUS_NO_MEMORY, "no memory for an index");
    struct sym_index_header header = {
        .magic = SYM_INDEX_MAGIC,
        .version = SYM_INDEX_VERSION,
        .stretch_shift = packed.stretch_shift,
        .key = key,
        .base = writer->base,
        .stretch_count = packed.stretch_count,
        .string_count = writer->strings.count,
        .node_count = writer->nodes.count,
        .place_bytes = packed.places.count,
        .node_bytes = packed.nodes.count,
        .text_bytes = packed.text.count};
    if (status == STATUS_OK)
        status = write_packed(&packed, fd, &header, diag);
    sym_index_packed_fini(&packed);
    return status;
}
