/* The payload of one chunk. */
#include "exporters/sentry/chunk_payload.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "exporters/frames.h"
#include "exporters/json.h"
#include "exporters/sentry/chunk_stacks.h"
#include "exporters/sentry/client.h"
#include "exporters/sentry/id.h"
#include "exporters/sentry/release.h"
#include "exporters/sentry/scope.h"
#include "exporters/sentry/timeline.h"
#include "exporters/text.h"
#include "exporters/writer.h"

/* A sample of the payload. */
struct point {
    uint64_t time_us; /* since 1970 */
    uint32_t number;  /* in the order of making, which equal times keep */
    uint32_t track, stack;
};

/* One chunk in the making. */
struct chunk {
    const struct exp_chunk_work *work;
    uint64_t from_ns, to_ns;
    struct exp_chunk_stacks stacks;
    struct table parts;    /* struct exp_stretch, cut to the chunk's time */
    struct table points;   /* struct point */
    uint32_t *part_counts; /* per track */
    uint32_t idle;
};

static uint64_t unix_us(const struct exp_chunk_work *work, uint64_t time_ns)
{
    return (uint64_t)((int64_t)time_ns + work->unix_ns + 500) / 1000;
}

/* ---- from stretches to points ---- */

static bool add_point(
    struct chunk *chunk, uint64_t time_ns, uint32_t track, uint32_t stack)
{
    struct point point = {
        .time_us = unix_us(chunk->work, time_ns),
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
    const struct exp_chunk_work *work = chunk->work;
    for (uint32_t i = work->next; i < work->stretches.count; i++) {
        struct exp_stretch part =
            *(const struct exp_stretch *)table_row(&work->stretches, i);
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

static const struct exp_track *track_at(
    const struct exp_chunk_work *work, uint32_t id)
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
        exp_json_member_string(
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
    exp_json_member_string(json, "name", name[0] != '\0' ? name : id);
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
static void write_chunk_id(
    const struct exp_chunk_work *work, struct exp_json *json)
{
    enum { KEPT = 20 };
    const char *first = work->chunk_id;
    char id[EXP_ID_BYTES];
    uint64_t number = strtoull(first + KEPT, NULL, 16) + work->chunk_count;
    (void)snprintf(
        id, sizeof id, "%.*s%012" PRIx64, KEPT, first,
        number & ((UINT64_C(1) << 48) - 1));
    exp_json_member_string(json, "chunk_id", id);
}

static void write_head(const struct chunk *chunk, struct exp_json *json)
{
    const struct exp_chunk_work *work = chunk->work;
    const struct exp_scope *scope = work->scope;
    char build_id[EXP_RELEASE_BYTES];
    const char *release = scope->release != NULL && scope->release[0] != '\0'
                              ? scope->release
                              : exp_release_of_profile(work->profile, build_id);
    exp_json_member_string(
        json, "type", "profile_chunk"); /* Spotlight wants it */
    exp_json_member_string(json, "version", "2");
    write_chunk_id(work, json);
    exp_json_member_string(json, "profiler_id", work->profiler_id);
    exp_json_member_string(json, "platform", EXP_CHUNK_PLATFORM);
    exp_json_member_string(json, "release", release);
    exp_json_member_string(
        json, "environment", exp_scope_environment(scope->environment));
    exp_json_key(json, "client_sdk");
    exp_json_begin_object(json);
    exp_json_member_string(json, "name", EXP_CLIENT_NAME);
    exp_json_member_string(json, "version", EXP_CLIENT_VERSION);
    exp_json_end(json);
}

/* ---- measurements ---- */

/* A share of one processor, as top(1) has it. */
static double cpu_percent(const struct prof_reading *reading)
{
    return exp_text_percent(reading->cpu_ns, reading->span_ns);
}

static double resident_bytes(const struct prof_reading *reading)
{
    return (double)reading->resident_bytes;
}

static bool is_in_chunk(
    const struct chunk *chunk, const struct prof_reading *reading)
{
    return reading->time_ns >= chunk->from_ns &&
           reading->time_ns < chunk->to_ns &&
           reading->time_ns < chunk->work->readings_end_ns;
}

static void write_series(
    const struct chunk *chunk, struct exp_json *json, const char *name,
    const char *unit, double (*value)(const struct prof_reading *reading))
{
    const struct exp_chunk_work *work = chunk->work;
    exp_json_key(json, name);
    exp_json_begin_object(json);
    exp_json_member_string(json, "unit", unit);
    exp_json_key(json, "values");
    exp_json_begin_array(json);
    for (uint32_t i = 0; i < prof_profile_reading_count(work->profile); i++) {
        const struct prof_reading *reading =
            prof_profile_reading(work->profile, i);
        if (!is_in_chunk(chunk, reading))
            continue;
        exp_json_begin_object(json);
        exp_json_key(json, "timestamp");
        exp_json_fixed(json, unix_us(work, reading->time_ns), 6);
        exp_json_key(json, "value");
        exp_json_double(json, value(reading));
        exp_json_end(json);
    }
    exp_json_end(json);
    exp_json_end(json);
}

/* The names are those of Sentry's other SDKs. There is no unit for a plain
   number, and an unknown one would cost the chunk: how many threads there
   were at most is said with the transaction of the whole run. */
static void write_measurements(const struct chunk *chunk, struct exp_json *json)
{
    const struct prof_profile *profile = chunk->work->profile;
    uint32_t count = prof_profile_reading_count(profile), at = 0;
    while (at < count && !is_in_chunk(chunk, prof_profile_reading(profile, at)))
        at++;
    if (at == count)
        return;
    exp_json_key(json, "measurements");
    exp_json_begin_object(json);
    write_series(chunk, json, "cpu_usage", "percent", cpu_percent);
    write_series(chunk, json, "memory_footprint", "byte", resident_bytes);
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
    write_measurements(chunk, &json);
    exp_json_end(&json);
    return is_written;
}

struct exp_writer *exp_chunk_payload(
    const struct exp_chunk_work *work, uint64_t from_ns, uint64_t to_ns)
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
    bool is_made = exp_chunk_stacks_init(
                       &chunk.stacks, work->profile, work->scope->in_app) &&
                   writer != NULL && chunk.part_counts != NULL &&
                   cut_parts(&chunk) && add_points(&chunk) &&
                   write_chunk(&chunk, writer);
    exp_chunk_stacks_fini(&chunk.stacks);
    table_fini(&chunk.parts);
    table_fini(&chunk.points);
    free(chunk.part_counts);
    if (is_made)
        return writer;
    exp_writer_destroy(writer);
    return NULL;
}
