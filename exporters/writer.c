/* A buffered byte sink whose failure sticks. */
#include "exporters/writer.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exporters/text.h"

enum { BUFFER_BYTES = 64 * 1024, IN_MEMORY = -1 };

struct exp_writer {
    int fd; /* IN_MEMORY: the buffer grows instead */
    enum status status;
    int sys_errno;
    size_t used, capacity;
    char *buffer; /* one byte longer than `capacity`, for the NUL */
};

static struct exp_writer *create(int fd)
{
    struct exp_writer *writer = malloc(sizeof *writer);
    if (writer == NULL)
        return NULL;
    *writer = (struct exp_writer){.fd = fd, .capacity = BUFFER_BYTES};
    writer->buffer = malloc(writer->capacity + 1);
    if (writer->buffer == NULL) {
        free(writer);
        return NULL;
    }
    return writer;
}

struct exp_writer *exp_writer_create(int fd)
{
    return create(fd);
}

struct exp_writer *exp_writer_create_memory(void)
{
    return create(IN_MEMORY);
}

void exp_writer_destroy(struct exp_writer *writer)
{
    if (writer == NULL)
        return;
    free(writer->buffer);
    free(writer);
}

void exp_writer_fail(struct exp_writer *writer, enum status status)
{
    if (writer->status != STATUS_OK)
        return;
    writer->status = status;
    writer->sys_errno = status == STATUS_SYSTEM ? errno : 0;
}

enum status exp_writer_status(const struct exp_writer *writer)
{
    return writer->status;
}

/* Whoever gave us a descriptor that does not block shall not lose bytes. */
static bool wait_until_writable(int fd)
{
    struct pollfd wanted = {.fd = fd, .events = POLLOUT};
    return poll(&wanted, 1, -1) >= 0 || errno == EINTR;
}

/* Send `count` bytes to the descriptor; a failure sticks. */
static void send_bytes(
    struct exp_writer *writer, const char *bytes, size_t count)
{
    while (count > 0 && writer->status == STATUS_OK) {
        ssize_t sent = write(writer->fd, bytes, count);
        if (sent >= 0) {
            bytes += sent;
            count -= (size_t)sent;
        } else if (
            errno != EINTR &&
            !(errno == EAGAIN && wait_until_writable(writer->fd))) {
            exp_writer_fail(writer, STATUS_SYSTEM);
        }
    }
}

static void grow(struct exp_writer *writer, size_t more)
{
    size_t capacity = writer->capacity;
    while (capacity - writer->used < more && capacity <= SIZE_MAX / 4)
        capacity *= 2;

    char *buffer = NULL;
    if (capacity - writer->used >= more)
        buffer = realloc(writer->buffer, capacity + 1);
    if (buffer == NULL) {
        exp_writer_fail(writer, STATUS_NO_MEMORY);
        return;
    }
    writer->buffer = buffer;
    writer->capacity = capacity;
}

/* Have `count` free bytes in the buffer, or fewer after a flush. */
static void make_room(struct exp_writer *writer, size_t count)
{
    if (count <= writer->capacity - writer->used)
        return;
    if (writer->fd == IN_MEMORY) {
        grow(writer, count);
        return;
    }
    send_bytes(writer, writer->buffer, writer->used);
    writer->used = 0;
}

void exp_write(struct exp_writer *writer, const void *bytes, size_t count)
{
    if (writer->status != STATUS_OK || count == 0)
        return;
    make_room(writer, count);
    if (writer->status != STATUS_OK)
        return;
    if (count > writer->capacity - writer->used) {
        send_bytes(writer, bytes, count);
        return;
    }
    memcpy(writer->buffer + writer->used, bytes, count);
    writer->used += count;
}

void exp_write_text(struct exp_writer *writer, const char *text)
{
    exp_write(writer, text, strlen(text));
}

void exp_write_char(struct exp_writer *writer, char byte)
{
    exp_write(writer, &byte, 1);
}

void exp_write_u64(struct exp_writer *writer, uint64_t value)
{
    char digits[20];
    size_t first = sizeof digits;
    do
        digits[--first] = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    exp_write(writer, digits + first, sizeof digits - first);
}

void exp_write_tenths(struct exp_writer *writer, double value)
{
    /* A picture has ten thousands of these; printf()'s are exact, and slow. */
    uint64_t tenths = (uint64_t)(value * 10 + 0.5);
    char last[] = {'.', (char)('0' + tenths % 10)};
    exp_write_u64(writer, tenths / 10);
    exp_write(writer, last, sizeof last);
}

void exp_write_format(struct exp_writer *writer, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    int count = vsnprintf(text, sizeof text, format, args);
    va_end(args);

    if (count < 0) {
        exp_writer_fail(writer, STATUS_SYSTEM);
    } else if ((size_t)count < sizeof text) {
        exp_write(writer, text, (size_t)count);
    } else {
        /* Only names are that long; they have exp_write_text(). */
        exp_writer_fail(writer, STATUS_LIMIT);
    }
}

void exp_write_clean(struct exp_writer *writer, const char *text)
{
    while (*text != '\0') {
        size_t plain = exp_text_plain(text);
        exp_write(writer, text, plain);
        text += plain;
        uint32_t code_point = exp_text_next(&text);
        char bytes[EXP_TEXT_UTF8_BYTES];
        if (code_point != 0)
            exp_write(
                writer, bytes,
                exp_text_encode(exp_text_clean(code_point), bytes));
    }
}

void exp_write_fill(struct exp_writer *writer, char byte, size_t count)
{
    char run[64];
    memset(run, byte, sizeof run);
    for (; count > sizeof run; count -= sizeof run)
        exp_write(writer, run, sizeof run);
    exp_write(writer, run, count);
}

enum status exp_writer_finish(
    struct exp_writer *writer, const char *name, struct diag *diag)
{
    if (writer->fd != IN_MEMORY) {
        send_bytes(writer, writer->buffer, writer->used);
        writer->used = 0;
    }
    if (writer->status == STATUS_OK)
        return STATUS_OK;
    if (writer->status == STATUS_SYSTEM) {
        errno = writer->sys_errno;
        return fail(diag, STATUS_SYSTEM, "cannot write '%s'", name);
    }
    return fail(
        diag, writer->status, "cannot write '%s': %s", name,
        status_text(writer->status));
}

const char *exp_writer_bytes(struct exp_writer *writer, size_t *count)
{
    if (writer->status != STATUS_OK)
        return NULL;
    writer->buffer[writer->used] = '\0';
    *count = writer->used;
    return writer->buffer;
}

char *exp_writer_take(struct exp_writer *writer)
{
    if (writer == NULL)
        return NULL;
    char *text = NULL;
    if (writer->status == STATUS_OK) {
        text = writer->buffer;
        text[writer->used] = '\0';
        writer->buffer = NULL;
    }
    exp_writer_destroy(writer);
    return text;
}
