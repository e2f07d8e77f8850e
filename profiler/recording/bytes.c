/* Bytes on their way out and in. */
#include "profiler/recording/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool reserve(struct prof_buffer *bytes, size_t more)
{
    if (bytes->is_failed)
        return false;
    if (more <= bytes->capacity - bytes->count)
        return true;

    size_t wanted = bytes->capacity ? bytes->capacity : 4096;
    while (wanted - bytes->count < more && wanted <= SIZE_MAX / 2)
        wanted *= 2;
    unsigned char *data =
        wanted - bytes->count < more ? NULL : realloc(bytes->data, wanted);
    if (data == NULL) {
        bytes->is_failed = true;
        return false;
    }
    bytes->data = data;
    bytes->capacity = wanted;
    return true;
}

void prof_buffer_fini(struct prof_buffer *bytes)
{
    free(bytes->data);
    *bytes = (struct prof_buffer){0};
}

void prof_buffer_put(struct prof_buffer *bytes, const void *data, size_t count)
{
    if (count == 0 || !reserve(bytes, count))
        return;
    memcpy(bytes->data + bytes->count, data, count);
    bytes->count += count;
}

void prof_buffer_zero(struct prof_buffer *bytes, size_t count)
{
    if (count == 0 || !reserve(bytes, count))
        return;
    memset(bytes->data + bytes->count, 0, count);
    bytes->count += count;
}

void prof_buffer_u16(struct prof_buffer *bytes, uint16_t value)
{
    prof_buffer_put(bytes, &value, sizeof value);
}

void prof_buffer_u32(struct prof_buffer *bytes, uint32_t value)
{
    prof_buffer_put(bytes, &value, sizeof value);
}

void prof_buffer_u64(struct prof_buffer *bytes, uint64_t value)
{
    prof_buffer_put(bytes, &value, sizeof value);
}

void prof_buffer_varint(struct prof_buffer *bytes, uint64_t value)
{
    unsigned char out[10];
    size_t count = 0;
    for (; value >= 0x80; value >>= 7)
        out[count++] = (unsigned char)(value | 0x80);
    out[count++] = (unsigned char)value;
    prof_buffer_put(bytes, out, count);
}

void prof_buffer_text(
    struct prof_buffer *bytes, const char *text, size_t count, size_t align)
{
    prof_buffer_put(bytes, text, count);
    prof_buffer_zero(bytes, align - count % align);
}

enum status prof_bytes_write_at(
    int fd, const void *data, size_t count, uint64_t offset, struct diag *diag)
{
    const char *at = data;
    while (count > 0) {
        ssize_t done = pwrite(fd, at, count, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return fail(
                diag, STATUS_SYSTEM, "write %zu bytes at %llu of the recording",
                count, (unsigned long long)offset);
        at += done;
        offset += (uint64_t)done;
        count -= (size_t)done;
    }
    return STATUS_OK;
}

struct prof_cursor prof_cursor_of(const void *data, size_t count)
{
    const unsigned char *at = data;
    return (struct prof_cursor){.at = at, .end = count ? at + count : at};
}

const void *prof_cursor_take(struct prof_cursor *cursor, uint64_t count)
{
    if (cursor->is_failed || count > prof_cursor_left(cursor)) {
        cursor->is_failed = true;
        return NULL;
    }
    const void *at = cursor->at;
    cursor->at += count;
    return at;
}

static void take_into(struct prof_cursor *cursor, void *value, size_t bytes)
{
    const void *at = prof_cursor_take(cursor, bytes);
    if (at != NULL)
        memcpy(value, at, bytes);
}

uint8_t prof_cursor_u8(struct prof_cursor *cursor)
{
    uint8_t value = 0;
    take_into(cursor, &value, sizeof value);
    return value;
}

uint16_t prof_cursor_u16(struct prof_cursor *cursor)
{
    uint16_t value = 0;
    take_into(cursor, &value, sizeof value);
    return value;
}

uint32_t prof_cursor_u32(struct prof_cursor *cursor)
{
    uint32_t value = 0;
    take_into(cursor, &value, sizeof value);
    return value;
}

uint64_t prof_cursor_u64(struct prof_cursor *cursor)
{
    uint64_t value = 0;
    take_into(cursor, &value, sizeof value);
    return value;
}

uint64_t prof_cursor_varint(struct prof_cursor *cursor)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = prof_cursor_u8(cursor);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return cursor->is_failed ? 0 : value;
    }
    cursor->is_failed = true; /* more than ten bytes: nobody writes that */
    return 0;
}
