/* Writing an index out. */
#include "symbolizer/index_save.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/index_pack.h"

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

enum status sym_index_save(
    const struct sym_index_writer *writer, int fd, uint64_t key,
    struct diag *diag)
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
