/* What a hostile target can make the collector keep. */
#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/collector/limits.h"
#include "profiler/collector/target.h"
#include "profiler/collector/target_drain.h"
#include "profiler/collector/target_threads.h"
#include "tests/profiler/ring_fixture.h"

enum { PERIOD_NS = 1000000, FAR_TOO_MANY = 80000 };

struct scene {
    struct prof_target_common common;
    struct prof_target *target;
    struct prof_ring_reader mapping;
};

static struct scene *open_scene(void)
{
    struct scene *scene = calloc(1, sizeof *scene);
    int fd = make_segment_fd(F_SEAL_SHRINK | F_SEAL_GROW);
    scene->common = (struct prof_target_common){
        .profile = prof_profile_create(),
        .period_ns = PERIOD_NS,
        .best_mode = PROF_CLOCK_TIMER};
    prof_build_ids_init(&scene->common.build_ids);
    CHECK_OK(prof_ring_reader_open(&scene->mapping, fd, NULL));
    scene->target = prof_target_open(
        &scene->common, (uint32_t)getpid(), (uint32_t)getpid(), fd, NULL, NULL);
    CHECK(scene->target != NULL);
    close(fd);
    return scene;
}

static void close_scene(struct scene *scene)
{
    prof_target_close(scene->target);
    prof_ring_reader_close(&scene->mapping);
    prof_build_ids_fini(&scene->common.build_ids);
    prof_profile_destroy(scene->common.profile);
    free(scene);
}

/* Room for a record; the collector drains when there is none. */
static void *claim(struct scene *scene, uint32_t bytes, struct prof_claim *made)
{
    *made = prof_ring_claim(&scene->mapping.ring, bytes, (uint32_t)getpid());
    if (made->bytes == NULL) {
        (void)prof_target_drain(scene->target);
        *made =
            prof_ring_claim(&scene->mapping.ring, bytes, (uint32_t)getpid());
    }
    CHECK(made->bytes != NULL);
    return made->bytes;
}

static void put_sample(
    struct scene *scene, uint32_t tid, uint32_t expiries, uint64_t time_ns)
{
    struct prof_claim made;
    struct wire_sample *sample = claim(scene, sizeof *sample + 8, &made);
    *sample = (struct wire_sample){
        .record = {.type = WIRE_SAMPLE, .tid = tid, .time_ns = time_ns},
        .expiries = expiries,
        .frame_count = 1};
    sample->frames[0] = (uint64_t)(uintptr_t)&open_scene;
    prof_ring_commit(&scene->mapping.ring, &made);
}

static void put_module(struct scene *scene, uint64_t index)
{
    struct prof_claim made;
    struct wire_module *module = claim(scene, sizeof *module, &made);
    *module = (struct wire_module){
        .record = {.type = WIRE_MODULE},
        .start = (index + 1) << 20,
        .end = (index + 1) << 20 | 4096};
    (void)snprintf(
        module->path, sizeof module->path, "/no/such/file/%u", (unsigned)index);
    prof_ring_commit(&scene->mapping.ring, &made);
}

TEST(limits_let_through_what_there_was_time_for)
{
    struct prof_limits limits;
    prof_limits_init(&limits, PERIOD_NS);
    limits.processors = 2;
    CHECK(prof_limits_take(&limits, PROF_LIMIT_AT_ONCE));
    CHECK(!prof_limits_take(&limits, 1));
    limits.now_ns += 1000 * (uint64_t)PERIOD_NS;
    /* A period and a tick each ms, on each processor, and as much again. */
    CHECK(prof_limits_take(&limits, 2 * 2 * 2000));
    CHECK(!prof_limits_take(&limits, 1));
}

TEST(limits_count_a_sample_that_stands_for_nothing)
{
    struct prof_limits limits;
    prof_limits_init(&limits, PERIOD_NS);
    for (int i = 0; i < PROF_LIMIT_AT_ONCE; i++)
        CHECK(prof_limits_take(&limits, 0));
    CHECK(!prof_limits_take(&limits, 0));
}

TEST(samples_beyond_the_time_there_was_are_dropped_and_counted)
{
    struct scene *scene = open_scene();
    for (uint32_t i = 0; i < FAR_TOO_MANY; i++)
        put_sample(scene, (uint32_t)getpid(), UINT32_MAX, 0);
    (void)prof_target_drain(scene->target);
    const struct prof_profile *profile = scene->common.profile;
    CHECK_EQ(
        prof_profile_sample_count(profile) + scene->target->malformed,
        FAR_TOO_MANY);
    /* One of them claims more than all that may come at once. */
    CHECK_EQ(prof_profile_sample_count(profile), 0);
    close_scene(scene);
}

TEST(times_that_cannot_be_are_now)
{
    struct scene *scene = open_scene();
    uint64_t opened_ns = scene->target->limits.opened_ns;
    put_sample(scene, (uint32_t)getpid(), 1, 0);
    put_sample(scene, (uint32_t)getpid(), 1, UINT64_MAX);
    put_sample(scene, (uint32_t)getpid(), 1, opened_ns + 1);
    (void)prof_target_drain(scene->target);
    const struct prof_profile *profile = scene->common.profile;
    CHECK_EQ(prof_profile_sample_count(profile), 3);
    for (uint32_t i = 0; i < 2; i++) {
        uint64_t time_ns = prof_profile_sample(profile, i)->time_ns;
        CHECK(time_ns > opened_ns && time_ns <= scene->target->limits.now_ns);
    }
    CHECK_EQ(prof_profile_sample(profile, 2)->time_ns, opened_ns + 1);
    close_scene(scene);
}

TEST(threads_nobody_has_seen_share_a_row_in_the_end)
{
    struct scene *scene = open_scene();
    /* All of them are gone, or were never there. */
    const uint32_t first = 4200000;
    for (uint32_t i = 0; i < FAR_TOO_MANY; i++)
        (void)prof_target_thread(scene->target, first + i);
    CHECK(
        prof_profile_thread_count(scene->common.profile) <=
        PROF_LIMIT_THREADS + 1);
    /* One that is there has a row of its own all the same. */
    uint32_t shared = prof_target_thread(scene->target, first - 1);
    CHECK(prof_target_thread(scene->target, (uint32_t)getpid()) != shared);
    close_scene(scene);
}

TEST(modules_without_end_are_refused_with_their_names)
{
    struct scene *scene = open_scene();
    for (uint64_t i = 0; i < 2 * PROF_LIMIT_MAPPINGS; i++)
        put_module(scene, i);
    (void)prof_target_drain(scene->target);
    const struct prof_profile *profile = scene->common.profile;
    CHECK(prof_profile_mapping_count(profile) <= PROF_LIMIT_MAPPINGS);
    CHECK(prof_profile_string_count(profile) < PROF_LIMIT_MAPPINGS + 1000);
    CHECK(scene->target->malformed >= PROF_LIMIT_MAPPINGS);
    close_scene(scene);
}
