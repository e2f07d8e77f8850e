/* Samples laid out in time. */
#include "exporters/sentry/timeline.h"

#include <stdlib.h>
#include <string.h>

#include "exporters/frames.h"
#include "exporters/text.h"

static const uint64_t assumed_period_ns = 10000000;
static const uint64_t week_ns = UINT64_C(7) * 24 * 3600 * 1000000000;

/* Ids that are no thread's. */
#define ACCOUNT_ID (UINT64_C(1) << 32) /* and the pid */
#define UNNAMED_ID                                                             \
    (UINT64_C(1) << 33) /* and the row of a thread without tid                 \
                         */

void exp_timeline_init(struct exp_timeline *timeline)
{
    *timeline =
        (struct exp_timeline){.tracks.row_bytes = sizeof(struct exp_track)};
}

void exp_timeline_fini(struct exp_timeline *timeline)
{
    table_fini(&timeline->tracks);
    index_fini(&timeline->index);
}

/* ---- tracks ---- */

static bool has_id(const void *owner, uint32_t id, const void *key)
{
    const struct exp_timeline *timeline = owner;
    const struct exp_track *track = table_row(&timeline->tracks, id);
    return track->id == *(const uint64_t *)key;
}

static uint64_t track_id(
    const struct prof_profile *profile, uint32_t thread, bool is_account)
{
    const struct prof_thread *row = prof_profile_thread(profile, thread);
    if (is_account)
        return ACCOUNT_ID + prof_profile_process(profile, row->process)->pid;
    return row->tid != 0 ? row->tid : UNNAMED_ID + thread;
}

static uint32_t find_track(
    struct exp_timeline *timeline, const struct prof_profile *profile,
    const struct prof_sample *sample)
{
    bool is_account = exp_sample_is_account(profile, sample) &&
                      !prof_state_is_off_cpu(sample->state);
    struct exp_track track = {
        .id = track_id(profile, sample->thread, is_account),
        .is_account = is_account};
    uint32_t hash = hash_u64(track.id);
    uint32_t id =
        index_find(&timeline->index, hash, has_id, timeline, &track.id);
    if (id == TABLE_NONE) {
        id = table_add(&timeline->tracks, &track);
        if (id == TABLE_NONE || !index_add(&timeline->index, hash, id))
            return TABLE_NONE;
    }
    ((struct exp_track *)table_row(&timeline->tracks, id))->thread =
        sample->thread;
    return id;
}

/* ---- stretches ---- */

/* What a sample counts, in what it counts by: time, or something else. */
static uint64_t value_of(
    const struct prof_profile *profile, const struct prof_sample *sample)
{
    return prof_profile_value_type_count(profile) > 0 ? sample->values[0]
                                                      : sample->count;
}

static bool has_times(const struct prof_profile *profile)
{
    return prof_profile_value_type_count(profile) > 0 &&
           strcmp(
               prof_profile_text(
                   profile, prof_profile_value_type(profile, 0)->unit),
               "nanoseconds") == 0;
}

uint64_t exp_timeline_assumed_ns(const struct prof_profile *profile)
{
    uint64_t total = 0;
    if (has_times(profile) || prof_profile_read_origin(profile)->period_ns > 0)
        return 0;
    for (uint32_t i = 0; i < prof_profile_sample_count(profile); i++)
        total = exp_text_add(
            total, value_of(profile, prof_profile_sample(profile, i)));
    return total > week_ns / assumed_period_ns ? 1 : assumed_period_ns;
}

const char *exp_timeline_assumed_text(uint64_t assumed_ns)
{
    return assumed_ns == 1 ? "nanoseconds" : "samples at 100 a second";
}

/* What one of a profile's values stands for. */
static uint64_t period_of(const struct prof_profile *profile)
{
    uint64_t assumed_ns = exp_timeline_assumed_ns(profile);
    if (assumed_ns > 0)
        return assumed_ns;
    return has_times(profile) ? 1
                              : prof_profile_read_origin(profile)->period_ns;
}

static uint64_t multiply(uint64_t value, uint64_t by)
{
    return value > UINT64_MAX / by ? UINT64_MAX : value * by;
}

/* Before it has its place a stretch ends at its sample's time, and begins its
   weight earlier. */
static bool collect(
    struct exp_timeline *timeline, const struct prof_profile *profile,
    uint32_t first, uint32_t last, struct table *stretches)
{
    uint64_t period_ns = first < last ? period_of(profile) : 1;
    for (uint32_t id = first; id < last; id++) {
        const struct prof_sample *sample = prof_profile_sample(profile, id);
        uint64_t ns = multiply(value_of(profile, sample), period_ns);
        if (ns == 0)
            continue;
        uint64_t end_ns =
            exp_text_add(sample->time_ns > ns ? sample->time_ns - ns : 0, ns);
        struct exp_stretch stretch = {
            .start_ns = end_ns - ns,
            .end_ns = end_ns,
            .track = find_track(timeline, profile, sample),
            .thread = sample->thread,
            .stack = sample->stack};
        if (stretch.track == TABLE_NONE ||
            table_add(stretches, &stretch) == TABLE_NONE)
            return false;
    }
    return true;
}

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* Equal ones stay as they came, as nearly as qsort() is a merge sort here. */
static int by_track_and_end(const void *left, const void *right)
{
    const struct exp_stretch *a = left, *b = right;
    int order = compare(a->track, b->track);
    if (order == 0)
        order = compare(a->end_ns, b->end_ns);
    return order != 0 ? order : compare(a->stack, b->stack);
}

static int by_start(const void *left, const void *right)
{
    const struct exp_stretch *a = left, *b = right;
    int order = compare(a->start_ns, b->start_ns);
    return order != 0 ? order : compare(a->track, b->track);
}

static void place(struct exp_track *track, struct exp_stretch *stretch)
{
    uint64_t ns = stretch->end_ns - stretch->start_ns;
    bool is_late = stretch->start_ns < track->end_ns;
    bool is_next = stretch->start_ns - track->end_ns < ns / 8;
    if (is_late || is_next)
        stretch->start_ns = track->end_ns;
    stretch->end_ns = exp_text_add(stretch->start_ns, ns);
    track->end_ns = stretch->end_ns;
}

bool exp_timeline_lay(
    struct exp_timeline *timeline, const struct prof_profile *profile,
    uint32_t first, uint32_t last, struct table *stretches)
{
    uint32_t before = stretches->count;
    if (!collect(timeline, profile, first, last, stretches))
        return false;
    uint32_t count = stretches->count - before;
    if (count == 0)
        return true;
    struct exp_stretch *rows = table_row(stretches, before);
    qsort(rows, count, sizeof *rows, by_track_and_end);
    for (uint32_t i = 0; i < count; i++)
        place(table_row(&timeline->tracks, rows[i].track), &rows[i]);
    qsort(stretches->rows, stretches->count, sizeof *rows, by_start);
    return true;
}
