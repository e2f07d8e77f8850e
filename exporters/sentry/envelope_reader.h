/* An envelope taken apart again: by its sender, and where it was kept. */
#ifndef EXPORTERS_SENTRY_ENVELOPE_READER_H
#define EXPORTERS_SENTRY_ENVELOPE_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "exporters/sentry/category.h"
#include "profiler/base/status.h"

/* What a backend takes, unpacked (reference of Relay's limits). */
#define EXP_ENVELOPE_BYTES_MAX ((size_t)200 << 20)

/* Parts point into the bytes that were given; nothing is copied. */
struct exp_item {
    enum exp_item_type type;
    const char *bytes; /* header and payload, with the newline between */
    size_t byte_count;
    const char *payload;
    size_t payload_bytes;
};

struct exp_envelope_reader {
    const char *header; /* a valid JSON object of one line */
    size_t header_bytes;
    const char *at, *end;
};

/* Read the header; MALFORMED when this is no envelope. */
MUST_CHECK enum status exp_envelope_reader_init(
    struct exp_envelope_reader *reader, const void *bytes, size_t count,
    struct diag *diag);

/*
 * Read the next item.
 *
 *   is_end  out: there was none
 */
MUST_CHECK enum status exp_envelope_reader_next(
    struct exp_envelope_reader *reader, struct exp_item *item, bool *is_end,
    struct diag *diag);

/*
 * Read all of it, which is one item at least.
 *
 *   rank  out: the highest of its items
 */
MUST_CHECK enum status exp_envelope_check(
    const void *bytes, size_t count, enum exp_rank *rank, struct diag *diag);

#endif
