/* Bytes packed as gzip does (RFC 1952), all at once. */
#ifndef EXPORTERS_SENTRY_GZIP_H
#define EXPORTERS_SENTRY_GZIP_H

#include <stddef.h>

#include "profiler/base/status.h"

/* A block of memory that its holder frees. */
struct exp_block {
    char *bytes;
    size_t count;
};

MUST_CHECK enum status exp_gzip_pack(
    const void *bytes, size_t count, struct exp_block *packed);

/*
 * MALFORMED when it is not one whole gzip member, or its checksum is wrong;
 * LIMIT when there would be more than `max` bytes.
 */
MUST_CHECK enum status exp_gzip_unpack(
    const void *bytes, size_t count, size_t max, struct exp_block *unpacked);

#endif
