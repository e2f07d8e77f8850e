/* A profile's samples as chunks. */
#include "exporters/sentry/chunk.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "exporters/frames.h"
#include "exporters/json.h"
#include "exporters/sentry/chunk_stacks.h"
#include "exporters/sentry/client.h"
#include "exporters/sentry/envelope.h"
#include "exporters/sentry/scope.h"
#include "exporters/sentry/timeline.h"
#include "exporters/text.h"
#include "exporters/writer.h"

#define PLATFORM "native"

static const uint64_t chunk_ns = UINT64_C(60) * 1000000000;
static const uint64_t least_ns =
    1000000; /* no chunk is made shorter for bytes */

enum {
    BYTES_MAX = 50 << 20,
    CHUNKS_MAX = 7 * 24 * 60, /* a week of them */
    POINTS_MAX = 300000,      /* some 25 MiB, before stacks */
};

/* A sample of the payload. */
struct point {
    uint64_t time_us; /* since 1970 */
    uint32_t number;  /* in the order of making, which equal times keep */
    uint32_t track, stack;
};

/* The work on one call. */
struct work {
    const struct prof_profile *profile;
    const struct exp_chunk_options *options;
    struct exp_timeline *timeline;
    struct table stretches; /* struct exp_stretch, by their starts */
    uint32_t next;          /* of them: those before are done */
    int64_t unix_ns;        /* from the profile's clock to 1970's */
    uint32_t chunk_count;
};

/* One chunk in the making. */
struct chunk {
    const struct work *work;
    uint64_t from_ns, to_ns;
    struct exp_chunk_stacks stacks;
    struct table parts;    /* struct exp_stretch, cut to the chunk's time */
    struct table points;   /* struct point */
    uint32_t *part_counts; /* per track */
    uint32_t idle;
};

static struct exp_stretch *stretch_at(const struct work *work, uint32_t id)
{
    return table_row(&work->stretches, id);
}

/* ---- from stretches to points ---- */

static bool add_point(
    struct chunk *chunk, uint64_t time_ns, uint32_t track, uint32_t stack)
{
    struct point point = {
        .time_us =
            (uint64_t)((int64_t)time_ns + chunk->work->unix_ns + 500) / 1000,
        .number = chunk->points.count,
        .track = track,
        .stack = stack};
    return stack != TABLE_NONE &&
           table_add(&chunk->points, &point) != TABLE_NONE;
}

static bool add_part(
    struct chunk *chunk, const struct exp_stretch *part,
    const struct exp_stretch *next)
{
    uint32_t process =
        prof_profile_thread(chunk->work->profile, part->thread)->process;
    uint32_t stack = exp_chunk_stacks_add(&chunk->stacks, process, part->stack);
    bool is_followed = next != NULL && next->track == part->track &&
                       next->start_ns == part->end_ns;
    uint64_t half_ns = (part->end_ns - part->start_ns) / 2;
    return add_point(chunk, part->start_ns, part->track, stack) &&
           (chunk->part_counts[part->track] > 1 ||
            add_point(chunk, part->start_ns + half_ns, part->track, stack)) &&
           (is_followed ||
            add_point(chunk, part->end_ns, part->track, chunk->idle));
}

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_track_and_start(const void *left, const void *right)
{
    const struct exp_stretch *a = left, *b = right;
    int order = compare(a->track, b->track);
    return order != 0 ? order : compare(a->start_ns, b->start_ns);
}

static int by_time(const void *left, const void *right)
{
    const struct point *a = left, *b = right;
    int order = compare(a->time_us, b->time_us);
    return order != 0 ? order : compare(a->number, b->number);
}

/* What the stretches have in the chunk's time. */
static bool cut_parts(struct chunk *chunk)
{
    const struct work *work = chunk->work;
    for (uint32_t i = work->next; i < work->stretches.count; i++) {
        struct exp_stretch part = *stretch_at(work, i);
        if (part.start_ns >= chunk->to_ns)
            break;
        if (part.end_ns > chunk->to_ns)
            part.end_ns = chunk->to_ns;
        chunk->part_counts[part.track]++;
        if (table_add(&chunk->parts, &part) == TABLE_NONE)
            return false;
    }
    return true;
}

static bool add_points(struct chunk *chunk)
{
    struct exp_stretch *parts = chunk->parts.rows;
    chunk->idle = exp_chunk_stacks_idle(&chunk->stacks);
    qsort(parts, chunk->parts.count, sizeof *parts, by_track_and_start);
    for (uint32_t i = 0; i < chunk->parts.count; i++) {
        bool is_last = i + 1 == chunk->parts.count;
        if (!add_part(chunk, &parts[i], is_last ? NULL : &parts[i + 1]))
            return false;
    }
    qsort(
        chunk->points.rows, chunk->points.count, sizeof(struct point), by_time);
    return true;
}

/* ---- from points to JSON ---- */

static void write_member(
    struct exp_json *json, const char *key, const char *value)
{
    exp_json_key(json, key);
    exp_json_string(json, value);
}

static const struct exp_track *track_at(const struct work *work, uint32_t id)
{
    return table_row(&work->timeline->tracks, id);
}

static const char *id_text(const struct exp_track *track, char text[static 24])
{
    (void)snprintf(text, 24, "%" PRIu64, track->id);
    return text;
}

static void write_samples(const struct chunk *chunk, struct exp_json *json)
{
    char id[24];
    exp_json_key(json, "samples");
    exp_json_begin_array(json);
    for (uint32_t i = 0; i < chunk->points.count; i++) {
        const struct point *point = table_row(&chunk->points, i);
        exp_json_begin_object(json);
        exp_json_key(json, "timestamp");
        exp_json_fixed(json, point->time_us, 6);
        exp_json_key(json, "stack_id");
        exp_json_u64(json, point->stack);
        write_member(
            json, "thread_id",
            id_text(track_at(chunk->work, point->track), id));
        exp_json_end(json);
    }
    exp_json_end(json);
}

/* What a person calls the track; with its process where there are several. */
static void write_thread(
    const struct chunk *chunk, uint32_t track_id, struct exp_json *json)
{
    char id[24], name[256];
    const struct prof_profile *profile = chunk->work->profile;
    const struct exp_track *track = track_at(chunk->work, track_id);
    const struct prof_thread *thread =
        prof_profile_thread(profile, track->thread);
    struct exp_frame process = {0};
    bool is_one_of_many =
        prof_profile_process_count(profile) > 1 &&
        exp_frames_process(chunk->stacks.names, thread->process, &process);
    (void)snprintf(
        name, sizeof name, "%.100s%s%.100s%s",
        track->is_account ? "outside of samples"
                          : prof_profile_text(profile, thread->name),
        is_one_of_many ? " (" : "",
        is_one_of_many ? exp_frames_text(chunk->stacks.names, process.name)
                       : "",
        is_one_of_many ? ")" : "");
    exp_json_key(json, id_text(track, id));
    exp_json_begin_object(json);
    write_member(json, "name", name[0] != '\0' ? name : id);
    exp_json_end(json);
}

static void write_threads(const struct chunk *chunk, struct exp_json *json)
{
    exp_json_key(json, "thread_metadata");
    exp_json_begin_object(json);
    for (uint32_t i = 0; i < chunk->work->timeline->tracks.count; i++)
        if (chunk->part_counts[i] > 0)
            write_thread(chunk, i, json);
    exp_json_end(json);
}

/* Version 4 ids follow one another by their last 12 digits. */
static void write_chunk_id(const struct work *work, struct exp_json *json)
{
    enum { KEPT = 20 };
    const char *first = work->options->chunk_id;
    char id[EXP_ID_BYTES];
    uint64_t number = strtoull(first + KEPT, NULL, 16) + work->chunk_count;
    (void)snprintf(
        id, sizeof id, "%.*s%012" PRIx64, KEPT, first,
        number & ((UINT64_C(1) << 48) - 1));
    write_member(json, "chunk_id", id);
}

static const char *chosen(const char *text, const char *otherwise)
{
    return text != NULL && text[0] != '\0' ? text : otherwise;
}

static void write_head(const struct chunk *chunk, struct exp_json *json)
{
    const struct work *work = chunk->work;
    const struct exp_scope *scope = work->options->scope;
    char build_id[EXP_RELEASE_BYTES];
    const char *release =
        chosen(scope->release, exp_release_of_profile(work->profile, build_id));
    write_member(json, "version", "2");
    write_chunk_id(work, json);
    write_member(json, "profiler_id", work->options->profiler_id);
    write_member(json, "platform", PLATFORM);
    if (release[0] != '\0')
        write_member(json, "release", release);
    write_member(
        json, "environment",
        chosen(scope->environment, EXP_ENVIRONMENT_IF_NOT));
    exp_json_key(json, "client_sdk");
    exp_json_begin_object(json);
    write_member(json, "name", EXP_CLIENT_NAME);
    write_member(json, "version", EXP_CLIENT_VERSION);
    exp_json_end(json);
}

static bool write_chunk(struct chunk *chunk, struct exp_writer *writer)
{
    struct exp_json json = exp_json_init(writer, EXP_JSON_COMPACT);
    exp_json_begin_object(&json);
    write_head(chunk, &json);
    exp_json_key(&json, "profile");
    exp_json_begin_object(&json);
    write_samples(chunk, &json);
    bool is_written = exp_chunk_stacks_write(&chunk->stacks, &json);
    write_threads(chunk, &json);
    exp_json_end(&json);
    exp_chunk_stacks_write_images(&chunk->stacks, &json);
    exp_json_end(&json);
    return is_written;
}

/* The payload of the time from `from_ns` to `to_ns`; NULL when out of memory.
 */
static struct exp_writer *make_chunk(
    const struct work *work, uint64_t from_ns, uint64_t to_ns)
{
    struct exp_writer *writer = exp_writer_create_memory();
    struct chunk chunk = {
        .work = work,
        .from_ns = from_ns,
        .to_ns = to_ns,
        .parts.row_bytes = sizeof(struct exp_stretch),
        .points.row_bytes = sizeof(struct point),
        .part_counts =
            calloc((size_t)work->timeline->tracks.count + 1, sizeof(uint32_t))};
    bool is_made =
        exp_chunk_stacks_init(
            &chunk.stacks, work->profile, work->options->scope->in_app) &&
        writer != NULL && chunk.part_counts != NULL && cut_parts(&chunk) &&
        add_points(&chunk) && write_chunk(&chunk, writer);
    exp_chunk_stacks_fini(&chunk.stacks);
    table_fini(&chunk.parts);
    table_fini(&chunk.points);
    free(chunk.part_counts);
    if (is_made)
        return writer;
    exp_writer_destroy(writer);
    return NULL;
}

/* ---- windows ---- */

/*
 * The end of a window whose samples are not too many to be tried. A thread has
 * one stretch at least in it, so that its time passes.
 */
static uint64_t end_of_window(const struct work *work, uint64_t from_ns)
{
    uint64_t to_ns = exp_text_add(from_ns, chunk_ns);
    uint32_t last = work->next + POINTS_MAX / 2;
    if (last >= work->stretches.count)
        return to_ns;
    uint64_t start_ns = stretch_at(work, last)->start_ns;
    if (start_ns < from_ns + least_ns)
        start_ns = from_ns + least_ns;
    return start_ns < to_ns ? start_ns : to_ns;
}

/* What ended before `to_ns` is done, the rest of what began before it begins
   there: it stays in order, as all else begins later. */
static void pass(struct work *work, uint64_t to_ns)
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
    struct work *work, exp_chunk_take *take, void *context, struct diag *diag)
{
    uint64_t from_ns = stretch_at(work, work->next)->start_ns;
    uint64_t to_ns = end_of_window(work, from_ns);
    uint64_t bytes_max =
        work->options->bytes_max ? work->options->bytes_max : BYTES_MAX;
    for (;;) {
        size_t count;
        struct exp_writer *writer = make_chunk(work, from_ns, to_ns);
        const char *bytes = writer ? exp_writer_bytes(writer, &count) : NULL;
        if (bytes == NULL) {
            exp_writer_destroy(writer);
            return fail(diag, STATUS_NO_MEMORY, "out of memory for a chunk");
        }
        enum status status = STATUS_OK;
        bool is_taken = count <= bytes_max || to_ns - from_ns <= least_ns;
        if (is_taken)
            status = take(context, bytes, count, diag);
        exp_writer_destroy(writer);
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

static enum status check_length(const struct work *work, struct diag *diag)
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
    struct work work = {
        .profile = profile,
        .options = options,
        .timeline = timeline,
        .stretches.row_bytes = sizeof(struct exp_stretch)};
    enum status status = STATUS_OK;
    if (!exp_timeline_lay(timeline, profile, first, last, &work.stretches))
        status = fail(diag, STATUS_NO_MEMORY, "out of memory for chunks");
    if (status == STATUS_OK && work.stretches.count > 0)
        status = check_length(&work, diag);
    work.unix_ns = clock_difference(profile, &work.stretches);
    while (status == STATUS_OK && work.next < work.stretches.count)
        status = give_window(&work, take, context, diag);
    table_fini(&work.stretches);
    return status;
}

/* ---- whole profiles ---- */

void exp_chunk_add(
    struct exp_envelope *envelope, const char *payload, size_t bytes)
{
    const struct exp_header platform = {"platform", PLATFORM};
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

const char *exp_release_of_profile(
    const struct prof_profile *profile, char text[static EXP_RELEASE_BYTES])
{
    text[0] = '\0';
    if (prof_profile_process_count(profile) == 0)
        return text;
    uint32_t path = prof_profile_process(profile, 0)->path;
    for (uint32_t i = 0; i < prof_profile_module_count(profile); i++) {
        const struct prof_module *module = prof_profile_module(profile, i);
        if (module->kind != PROF_MODULE_FILE || module->path != path)
            continue;
        for (size_t at = 0; at < module->build_id_bytes; at++)
            (void)snprintf(
                text + 2 * at, EXP_RELEASE_BYTES - 2 * at, "%02x",
                module->build_id[at]);
        return text;
    }
    return text;
}
