/* Bytes packed as gzip does. */
#include "exporters/sentry/gzip.h"

#include <limits.h>
#include <stdlib.h>

#include <zlib.h>

/* zlib's: the largest window, and a gzip header instead of its own. */
enum { WINDOW_BITS = 15 + 16, MEMORY_LEVEL = 8, FIRST_BYTES = 64 * 1024 };

enum status exp_gzip_pack(
    const void *bytes, size_t count, struct exp_block *packed)
{
    z_stream stream = {0};
    if (count > UINT_MAX)
        return STATUS_LIMIT;
    if (deflateInit2(
            &stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_BITS,
            MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
        return STATUS_NO_MEMORY;
    size_t bound = deflateBound(&stream, count);
    char *made = bound <= UINT_MAX ? malloc(bound) : NULL;
    enum status status = STATUS_NO_MEMORY;
    if (made == NULL)
        goto out;
    stream.next_in = (Bytef *)bytes;
    stream.avail_in = (uInt)count;
    stream.next_out = (Bytef *)made;
    stream.avail_out = (uInt)bound;
    if (deflate(&stream, Z_FINISH) != Z_STREAM_END) {
        free(made);
        goto out;
    }
    *packed = (struct exp_block){made, stream.total_out};
    status = STATUS_OK;
out:
    (void)deflateEnd(&stream);
    return status;
}

/* Twice the room, up to one byte more than `max`. */
static enum status grow(struct exp_block *room, size_t max)
{
    size_t wanted = room->count > 0 ? room->count * 2 : FIRST_BYTES;
    if (wanted > max + 1)
        wanted = max + 1;
    if (wanted == room->count)
        return STATUS_LIMIT;
    char *bytes = realloc(room->bytes, wanted);
    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    *room = (struct exp_block){bytes, wanted};
    return STATUS_OK;
}

enum status exp_gzip_unpack(
    const void *bytes, size_t count, size_t max, struct exp_block *unpacked)
{
    z_stream stream = {.next_in = (Bytef *)bytes, .avail_in = (uInt)count};
    struct exp_block room = {0};
    if (count > UINT_MAX || max >= UINT_MAX)
        return STATUS_LIMIT;
    if (inflateInit2(&stream, WINDOW_BITS) != Z_OK)
        return STATUS_NO_MEMORY;
    enum status status = STATUS_OK;
    int result = Z_OK;
    while (status == STATUS_OK && result == Z_OK) {
        if (stream.total_out == room.count)
            status = grow(&room, max);
        if (status != STATUS_OK)
            break;
        stream.next_out = (Bytef *)room.bytes + stream.total_out;
        stream.avail_out = (uInt)(room.count - stream.total_out);
        result = inflate(&stream, Z_NO_FLUSH);
    }
    if (status == STATUS_OK && stream.total_out > max)
        status = STATUS_LIMIT;
    if (status == STATUS_OK && (result != Z_STREAM_END || stream.avail_in != 0))
        status = result == Z_MEM_ERROR ? STATUS_NO_MEMORY : STATUS_MALFORMED;
    if (status == STATUS_OK)
        *unpacked = (struct exp_block){room.bytes, stream.total_out};
    else
        free(room.bytes);
    (void)inflateEnd(&stream);
    return status;
}
