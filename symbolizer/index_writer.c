/* Collecting an index and writing it out. */
#include "symbolizer/index_writer.h"

#include <string.h>
#include <unistd.h>

/* Places that share one row of the directory, about: one cache line. */
enum { PLACES_A_STRETCH = 16 };

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
        .text.row_bytes = 1,
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
    table_fini(&writer->text);
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

static uint32_t add_string(struct sym_index_writer *writer, const char *text)
{
    uint32_t start =
        table_add_many(&writer->text, text, (uint32_t)strlen(text) + 1);
    if (start == TABLE_NONE)
        return TABLE_NONE;
    return table_add(&writer->strings, &start);
}

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
        *string = add_string(writer, sym_strings_text(writer->texts, id));
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

/* ---- the directory ---- */

static uint32_t shift_for(uint32_t reach, uint32_t place_count)
{
    uint32_t shift = 0;
    while (shift < 31 && reach >> shift > place_count / PLACES_A_STRETCH)
        shift++;
    return shift;
}

static bool make_directory(
    const struct sym_index_writer *writer, struct sym_index_header *header,
    struct table *directory)
{
    const uint32_t *places = writer->places.rows;
    uint32_t count = writer->places.count;
    uint32_t reach = count > 0 ? places[count - 1] : 0;
    header->stretch_shift = shift_for(reach, count);
    header->stretch_count = (reach >> header->stretch_shift) + 1;
    uint32_t first = 0;
    for (uint64_t stretch = 0; stretch <= header->stretch_count; stretch++) {
        while (first < count &&
               places[first] >> header->stretch_shift < stretch)
            first++;
        if (table_add(directory, &first) == TABLE_NONE)
            return false;
    }
    return true;
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
static void put_table(struct stream *stream, const struct table *table)
{
    static const uint8_t zeros[8];
    size_t bytes = (size_t)table->count * table->row_bytes;
    put(stream, table->rows, bytes);
    put(stream, zeros, (8 - bytes % 8) % 8);
}

static enum status write_parts(
    struct stream *stream, const struct sym_index_writer *writer,
    const struct table *directory, struct diag *diag)
{
    put_table(stream, directory);
    put_table(stream, &writer->places);
    put_table(stream, &writer->answers);
    put_table(stream, &writer->nodes);
    put_table(stream, &writer->sources);
    put_table(stream, &writer->strings);
    put(stream, writer->text.rows, writer->text.count);
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

enum status sym_index_writer_save(
    struct sym_index_writer *writer, int fd, uint64_t key, struct diag *diag)
{
    if (writer->status != STATUS_OK)
        return fail(diag, writer->status, "no room for an index");
    struct sym_index_header header = {
        .magic = SYM_INDEX_MAGIC,
        .version = SYM_INDEX_VERSION,
        .key = key,
        .base = writer->base,
        .place_count = writer->places.count,
        .node_count = writer->nodes.count,
        .source_count = writer->sources.count,
        .string_count = writer->strings.count,
        .text_bytes = writer->text.count};
    struct table directory = {.row_bytes = sizeof(uint32_t)};
    struct table checksums = {.row_bytes = sizeof(uint64_t)};
    struct stream stream = {.fd = fd, .checksums = &checksums};
    enum status status = STATUS_OK;
    if (!make_directory(writer, &header, &directory))
        status = fail(diag, STATUS_NO_MEMORY, "no memory for an index");
    stream.offset = sym_index_layout(&header).directory;
    if (status == STATUS_OK)
        status = write_parts(&stream, writer, &directory, diag);
    if (status == STATUS_OK)
        status = write_head(fd, &header, &checksums, diag);
    table_fini(&directory);
    table_fini(&checksums);
    return status;
}
