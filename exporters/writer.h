/*
 * A buffered byte sink whose failure sticks.
 *
 * An exporter writes without looking back; the first failure, of the sink or
 * of the exporter itself, turns every later write into nothing and is told
 * once, by exp_writer_finish(). Not signal-safe, one thread at a time.
 */
#ifndef EXPORTERS_WRITER_H
#define EXPORTERS_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/status.h"

struct exp_writer;

/* A writer to `fd`, which stays the caller's; NULL when out of memory. */
struct exp_writer *exp_writer_create(int fd);

/* A writer that keeps its bytes; NULL when out of memory. */
struct exp_writer *exp_writer_create_memory(void);

/* Drops what is still buffered; NULL is accepted. */
void exp_writer_destroy(struct exp_writer *writer);

void exp_write(struct exp_writer *writer, const void *bytes, size_t count);
void exp_write_text(struct exp_writer *writer, const char *text);
void exp_write_char(struct exp_writer *writer, char byte);
void exp_write_u64(struct exp_writer *writer, uint64_t value);
/* A number below 2^60 that is not negative, to one digit behind the point. */
void exp_write_tenths(struct exp_writer *writer, double value);
/* At most 511 bytes at once; longer text is for exp_write_text(). */
void exp_write_format(struct exp_writer *writer, const char *format, ...)
    PRINTF_LIKE(2, 3);

/* Valid UTF-8 without control characters; see exp_text_clean(). */
void exp_write_clean(struct exp_writer *writer, const char *text);

/* Fill with `count` times the same byte: columns of a table. */
void exp_write_fill(struct exp_writer *writer, char byte, size_t count);

/* Make the writer fail with `status`, unless it failed before. */
void exp_writer_fail(struct exp_writer *writer, enum status status);

/* OK, or the first failure so far. */
enum status exp_writer_status(const struct exp_writer *writer);

/*
 * Flush, and tell whether every byte arrived. `name` is what the sentence in
 * `diag` calls the sink: "cannot write 'NAME': No space left on device".
 */
MUST_CHECK enum status exp_writer_finish(
    struct exp_writer *writer, const char *name, struct diag *diag);

/*
 * The bytes of a memory writer, followed by a NUL that does not count; valid
 * until the next write. NULL when the writer failed.
 */
const char *exp_writer_bytes(struct exp_writer *writer, size_t *count);

/*
 * The same bytes as a text of the caller's, to be freed, and the end of the
 * writer; NULL when it failed or is NULL.
 */
char *exp_writer_take(struct exp_writer *writer);

#endif
