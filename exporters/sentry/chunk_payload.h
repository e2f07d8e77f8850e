/*
 * The payload of one chunk: what laid out samples have in some time, as JSON.
 * For chunk.c, which says what that time is.
 */
#ifndef EXPORTERS_SENTRY_CHUNK_PAYLOAD_H
#define EXPORTERS_SENTRY_CHUNK_PAYLOAD_H

#include <stdint.h>

#include "profiler/base/table.h"
#include "profiler/model/profile.h"

struct exp_scope;
struct exp_timeline;
struct exp_writer;

#define EXP_CHUNK_PLATFORM "native"

/* What chunks are made of. */
struct exp_chunk_work {
    const struct prof_profile *profile;
    const struct exp_scope *scope;
    const char *profiler_id;
    const char *chunk_id; /* of the first */
    struct exp_timeline *timeline;
    struct table stretches; /* struct exp_stretch, by their starts */
    uint32_t next;          /* of them: those before are done */
    uint64_t readings_end_ns;
    int64_t unix_ns;      /* from the profile's clock to 1970's */
    uint32_t chunk_count; /* that were made */
};

/*
 * The payload of the time from `from_ns` to `to_ns`, in a writer of the
 * caller's; NULL when out of memory.
 */
struct exp_writer *exp_chunk_payload(
    const struct exp_chunk_work *work, uint64_t from_ns, uint64_t to_ns);

#endif
