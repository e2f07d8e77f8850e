/* A profile's samples as chunks. */
#include "exporters/sentry/chunk.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "exporters/sentry/chunk_payload.h"
#include "exporters/sentry/envelope.h"
#include "exporters/sentry/scope.h"
#include "exporters/sentry/timeline.h"
#include "exporters/sentry/user_names.h"
#include "exporters/text.h"
#include "exporters/writer.h"

static const uint64_t chunk_ns = UINT64_C(60) * 1000000000;

/* No chunk is made shorter than this for its bytes. */
static const uint64_t least_ns = 1000000;

enum {
    BYTES_MAX = 50 << 20,
    CHUNKS_MAX = 7 * 24 * 60, /* a week of them */
    STRETCHES_MAX = 150000,   /* of two samples each; 25 MiB, before stacks */
};

static struct exp_stretch *stretch_at(
    const struct exp_chunk_work *work, uint32_t id)
{
    return table_row(&work->stretches, id);
}

/*
 * The end of a window whose samples are not too many to be tried. A thread has
 * one stretch at least in it, so that its time passes.
 */
static uint64_t end_of_window(
    const struct exp_chunk_work *work, uint64_t from_ns)
{
    uint64_t to_ns = exp_text_add(from_ns, chunk_ns);
    uint32_t last = work->next + STRETCHES_MAX;
    if (last >= work->stretches.count)
        return to_ns;
    uint64_t start_ns = stretch_at(work, last)->start_ns;
    if (start_ns < from_ns + least_ns)
        start_ns = from_ns + least_ns;
    return start_ns < to_ns ? start_ns : to_ns;
}

/* What ended before `to_ns` is done, the rest of what began before it begins
   there: it stays in order, as all else begins later. */
static void pass(struct exp_chunk_work *work, uint64_t to_ns)
{
    uint32_t end = work->next;
    while (end < work->stretches.count &&
           stretch_at(work, end)->start_ns < to_ns)
        end++;
    uint32_t kept = end;
    for (uint32_t i = end; i-- > work->next;) {
        struct exp_stretch stretch = *stretch_at(work, i);
        if (stretch.end_ns <= to_ns)
            continue;
        stretch.start_ns = to_ns;
        *stretch_at(work, --kept) = stretch;
    }
    work->next = kept;
}

static enum status give_window(
    struct exp_chunk_work *work, uint64_t bytes_max, exp_chunk_take *take,
    void *context, struct diag *diag)
{
    uint64_t from_ns = stretch_at(work, work->next)->start_ns;
    uint64_t to_ns = end_of_window(work, from_ns);
    for (;;) {
        char *payload =
            exp_writer_take(exp_chunk_payload(work, from_ns, to_ns));
        if (payload == NULL)
            return fail(diag, STATUS_NO_MEMORY, "out of memory for a chunk");
        size_t count = work->scope->is_pii_sent ? strlen(payload)
                                                : exp_user_names_hide(payload);
        enum status status = STATUS_OK;
        bool is_taken = count <= bytes_max || to_ns - from_ns <= least_ns;
        if (is_taken)
            status = take(context, payload, count, diag);
        free(payload);
        if (is_taken) {
            work->chunk_count++;
            pass(work, to_ns);
            return status;
        }
        to_ns = from_ns + (to_ns - from_ns) / 2;
    }
}

/* Where nobody knows when it was, it ends now. */
static int64_t clock_difference(
    const struct prof_profile *profile, const struct table *stretches)
{
    const struct prof_origin *origin = prof_profile_read_origin(profile);
    if (origin->start_unix_ns > 0)
        return (int64_t)(origin->start_unix_ns - origin->start_ns);
    uint64_t end_ns = 0;
    for (uint32_t i = 0; i < stretches->count; i++) {
        const struct exp_stretch *stretch = table_row(stretches, i);
        if (stretch->end_ns > end_ns)
            end_ns = stretch->end_ns;
    }
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - (int64_t)end_ns;
}

static enum status check_length(
    const struct exp_chunk_work *work, struct diag *diag)
{
    uint64_t from_ns = stretch_at(work, 0)->start_ns, end_ns = 0;
    for (uint32_t i = 0; i < work->stretches.count; i++) {
        const struct exp_stretch *stretch = stretch_at(work, i);
        if (stretch->end_ns > end_ns)
            end_ns = stretch->end_ns;
    }
    if ((end_ns - from_ns) / chunk_ns < CHUNKS_MAX && end_ns < INT64_MAX)
        return STATUS_OK;
    return fail(
        diag, STATUS_LIMIT,
        "the profile is of more than a week, which no chunks are made of");
}

enum status exp_chunks_make(
    const struct prof_profile *profile, struct exp_timeline *timeline,
    uint32_t first, uint32_t last, const struct exp_chunk_options *options,
    exp_chunk_take *take, void *context, struct diag *diag)
{
    struct exp_chunk_work work = {
        .profile = profile,
        .scope = options->scope,
        .profiler_id = options->profiler_id,
        .chunk_id = options->chunk_id,
        .timeline = timeline,
        .readings_end_ns = options->readings_end_ns != 0
                               ? options->readings_end_ns
                               : UINT64_MAX,
        .stretches.row_bytes = sizeof(struct exp_stretch)};
    enum status status = STATUS_OK;
    if (!exp_timeline_lay(timeline, profile, first, last, &work.stretches))
        status = fail(diag, STATUS_NO_MEMORY, "out of memory for chunks");
    if (status == STATUS_OK && work.stretches.count > 0)
        status = check_length(&work, diag);
    work.unix_ns = clock_difference(profile, &work.stretches);
    while (status == STATUS_OK && work.next < work.stretches.count)
        status = give_window(
            &work, options->bytes_max ? options->bytes_max : BYTES_MAX, take,
            context, diag);
    table_fini(&work.stretches);
    return status;
}

/* ---- whole profiles ---- */

void exp_chunk_add(
    struct exp_envelope *envelope, const char *payload, size_t bytes)
{
    const struct exp_header platform = {"platform", EXP_CHUNK_PLATFORM};
    exp_envelope_add(
        envelope, EXP_ITEM_PROFILE_CHUNK, &platform, 1, payload, bytes);
}

enum status exp_chunks_of_profile(
    const struct prof_profile *profile, const struct exp_scope *scope,
    exp_chunk_take *take, void *context, struct diag *diag)
{
    char profiler_id[EXP_ID_BYTES], chunk_id[EXP_ID_BYTES];
    const struct exp_chunk_options options = {
        .scope = scope,
        .profiler_id = exp_id_make(profiler_id),
        .chunk_id = exp_id_make(chunk_id)};
    struct exp_timeline timeline;
    exp_timeline_init(&timeline);
    enum status status = exp_chunks_make(
        profile, &timeline, 0, prof_profile_sample_count(profile), &options,
        take, context, diag);
    exp_timeline_fini(&timeline);
    return status;
}
