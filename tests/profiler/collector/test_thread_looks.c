/* Threads that are looked at: each has its life once, whoever tells of it. */
#include "tests/harness.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/collector/thread_looks.h"

/* A process that is our own, of which one thread is watched. */
struct scene {
    struct prof_looks_common common;
    struct prof_looked_process process;
    struct prof_looks *looks;
    uint64_t sample_count;
    uint32_t thread, stack; /* in the profile */
    _Atomic uint32_t tid;   /* of the thread; 0: it has not begun */
    bool is_known;
    int release[2];
};

static unsigned lists; /* of our threads that were read */

static bool is_watched(const void *owner, uint32_t tid)
{
    lists += tid == (uint32_t)getpid(); /* who is in all of them */
    return tid == ((const struct scene *)owner)->tid;
}

static uint32_t number(void *owner, uint32_t tid)
{
    (void)tid;
    ((struct scene *)owner)->is_known = true;
    return 0;
}

static struct prof_looked_row row(const void *owner, uint32_t its_number)
{
    (void)its_number;
    return (struct prof_looked_row){
        .thread = ((const struct scene *)owner)->thread};
}

static enum prof_looked_image image(const void *owner)
{
    (void)owner;
    return PROF_LOOKED_PRESENT;
}

static uint64_t version(const void *owner)
{
    (void)owner;
    return 1;
}

static uint32_t stack(
    void *owner, const uint64_t *words, uint32_t count, uint64_t when_ns)
{
    (void)words;
    (void)count;
    (void)when_ns;
    return ((const struct scene *)owner)->stack;
}

static void *wait_for_release(void *context)
{
    struct scene *scene = context;
    char byte;
    scene->tid = (uint32_t)gettid();
    (void)!read(scene->release[0], &byte, 1);
    return NULL;
}

static void pause_ms(long ms)
{
    const struct timespec pause = {.tv_nsec = ms * 1000000};
    (void)nanosleep(&pause, NULL);
}

/* More than the list of threads is read anew after, if they are others. */
static void look(struct scene *scene)
{
    pause_ms(30);
    prof_looks_run(scene->looks, UINT64_MAX);
}

/* Until it was: what the one before took of a CPU may put it off. */
static void look_at_list(struct scene *scene)
{
    unsigned before = lists;
    do
        look(scene);
    while (lists == before);
}

static void begin(struct scene *scene)
{
    struct prof_profile *profile = prof_profile_create();
    struct prof_process process = {.pid = (uint32_t)getpid()};
    struct prof_thread thread = {
        .process = prof_profile_add_process(profile, &process)};
    *scene =
        (struct scene){.thread = prof_profile_add_thread(profile, &thread)};
    scene->stack = prof_profile_add_stack(
        profile, PROF_NONE,
        prof_profile_add_named_frame(profile, PROF_FRAME_ACCOUNT, "seen"));
    scene->process = (struct prof_looked_process){
        .pid = (uint32_t)getpid(),
        .profile = profile,
        .value_wall =
            prof_profile_add_value_type(profile, "wall", "nanoseconds"),
        .value_samples =
            prof_profile_add_value_type(profile, "samples", "count"),
        .sample_count = &scene->sample_count,
        .owner = scene,
        .is_watched = is_watched,
        .number = number,
        .row = row,
        .image = image,
        .version = version,
        .stack = stack};
    prof_looks_common_init(&scene->common, 1000000);
    scene->looks = prof_looks_create(&scene->common, &scene->process, false);
    assert_non_null(scene->looks);
    CHECK_OK(pipe(scene->release));
}

/* The sum of all wall time that was given. */
static uint64_t end(struct scene *scene)
{
    struct prof_profile *profile = scene->process.profile;
    uint64_t sum_ns = 0;
    prof_looks_destroy(scene->looks);
    for (uint32_t i = 0; i < prof_profile_sample_count(profile); i++)
        sum_ns +=
            prof_profile_sample(profile, i)->values[scene->process.value_wall];
    prof_looks_common_fini(&scene->common);
    prof_profile_destroy(profile);
    (void)close(scene->release[0]);
    (void)close(scene->release[1]);
    return sum_ns;
}

/* A joined thread is in the list for a moment more. */
static void wait_until_gone(uint32_t tid)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/task/%u", tid);
    while (access(path, F_OK) == 0)
        pause_ms(1);
}

/* It began after the first two of them, was there at the others, and was looked
   at once more. Of when it began, its looks know no more than that. */
struct met {
    uint64_t least_ns, begin_ns, first_ns, last_ns;
};

/* A thread that waits is known, and looked at. */
static struct met meet(struct scene *scene, pthread_t *thread)
{
    struct met met = {.least_ns = clock_now_ns(CLOCK_MONOTONIC)};
    begin(scene);
    met.begin_ns = clock_now_ns(CLOCK_MONOTONIC);
    CHECK_OK(pthread_create(thread, NULL, wait_for_release, scene));
    while (scene->tid == 0)
        pause_ms(1);
    met.first_ns = clock_now_ns(CLOCK_MONOTONIC);
    look_at_list(scene);
    CHECK(scene->is_known);
    met.last_ns = clock_now_ns(CLOCK_MONOTONIC);
    look(scene);
    return met;
}

/* It says that it ends, and the list has it no more when that is read. */
TEST(a_thread_whose_end_is_told_late_has_its_life_once)
{
    static struct scene scene;
    pthread_t thread;
    struct met met = meet(&scene, &thread);
    CHECK_EQ(write(scene.release[1], "x", 1), 1);
    CHECK_OK(pthread_join(thread, NULL));
    uint64_t end_ns = clock_now_ns(CLOCK_MONOTONIC);
    wait_until_gone(scene.tid);
    look_at_list(&scene);
    prof_looks_note_end(scene.looks, scene.tid, met.begin_ns, end_ns, 1);
    look(&scene);
    uint64_t sum_ns = end(&scene);
    CHECK(sum_ns <= end_ns - met.least_ns);
    CHECK(sum_ns > (end_ns - met.begin_ns) / 2);
}

/* Nobody says so: what it did between the last list and the first without it is
   not known. */
TEST(a_thread_that_just_vanishes_has_its_life_as_well)
{
    static struct scene scene;
    pthread_t thread;
    struct met met = meet(&scene, &thread);
    CHECK_EQ(write(scene.release[1], "x", 1), 1);
    CHECK_OK(pthread_join(thread, NULL));
    wait_until_gone(scene.tid);
    look_at_list(&scene);
    uint64_t end_ns = clock_now_ns(CLOCK_MONOTONIC);
    look(&scene);
    look(&scene);
    uint64_t sum_ns = end(&scene);
    CHECK(sum_ns > (met.last_ns - met.first_ns) / 2);
    CHECK(sum_ns <= end_ns - met.least_ns);
}
