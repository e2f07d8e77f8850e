/* Chunks, by the rules that a backend applies to them. */
#include "tests/harness.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exporters/sentry/chunk.h"
#include "exporters/sentry/scope.h"
#include "exporters/sentry/timeline.h"
#include "tests/exporters/golden.h"
#include "tests/exporters/profiles.h"

#define SECOND UINT64_C(1000000000)

enum { CHUNKS_MAX = 64 };

struct taken {
    json_t *chunks[CHUNKS_MAX];
    size_t bytes[CHUNKS_MAX];
    size_t count;
};

static enum status take(
    void *context, const char *payload, size_t bytes, struct diag *diag)
{
    struct taken *taken = context;
    json_error_t error;
    (void)diag;
    assert_true(taken->count < CHUNKS_MAX);
    json_t *chunk = json_loadb(payload, bytes, 0, &error);
    assert_non_null(chunk);
    taken->bytes[taken->count] = bytes;
    taken->chunks[taken->count++] = chunk;
    return STATUS_OK;
}

static void drop(struct taken *taken)
{
    for (size_t i = 0; i < taken->count; i++)
        json_decref(taken->chunks[i]);
    taken->count = 0;
}

static const struct exp_scope no_scope;

static struct exp_chunk_options options_of(const struct exp_scope *scope)
{
    return (struct exp_chunk_options){
        .scope = scope,
        .profiler_id = "0123456789abcdef0123456789abcdef",
        .chunk_id = "fedcba98765443210fed0000000000ff"};
}

static void make(
    const struct prof_profile *profile, uint64_t bytes_max, struct taken *taken)
{
    struct exp_chunk_options options = options_of(&no_scope);
    struct exp_timeline timeline;
    options.bytes_max = bytes_max;
    exp_timeline_init(&timeline);
    taken->count = 0;
    CHECK_OK(exp_chunks_make(
        profile, &timeline, 0, prof_profile_sample_count(profile), &options,
        take, taken, NULL));
    exp_timeline_fini(&timeline);
}

/* ---- the rules ---- */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static double time_of(const json_t *sample)
{
    return json_real_value(json_object_get(sample, "timestamp"));
}

static size_t stack_of(const json_t *sample)
{
    json_t *id = json_object_get(sample, "stack_id");
    assert_true(json_is_integer(id) && json_integer_value(id) >= 0);
    return (size_t)json_integer_value(id);
}

static void check_ids(const json_t *profile)
{
    const json_t *stacks = json_object_get(profile, "stacks");
    const json_t *frames = json_object_get(profile, "frames");
    json_t *sample, *stack, *number, *frame;
    size_t i, j;
    json_array_foreach(json_object_get(profile, "samples"), i, sample)
        CHECK(stack_of(sample) < json_array_size(stacks));
    json_array_foreach(stacks, i, stack) json_array_foreach(stack, j, number)
        CHECK((size_t)json_integer_value(number) < json_array_size(frames));
    json_array_foreach(frames, i, frame)
    {
        CHECK(json_is_boolean(json_object_get(frame, "in_app")));
        CHECK(json_object_get(frame, "instruction_addr") == NULL);
        CHECK(*text_of(frame, "function") != '\0');
    }
}

/* More than one sample that is not idle, or the backend drops the thread. */
static void check_threads(const json_t *profile)
{
    const char *id;
    json_t *metadata, *sample;
    size_t i;
    json_object_foreach(
        json_object_get(profile, "thread_metadata"), id, metadata)
    {
        size_t busy = 0;
        json_array_foreach(json_object_get(profile, "samples"), i, sample)
            busy +=
            strcmp(text_of(sample, "thread_id"), id) == 0 &&
            json_array_size(json_array_get(
                json_object_get(profile, "stacks"), stack_of(sample))) > 0;
        CHECK(busy > 1);
        CHECK(*text_of(metadata, "name") != '\0');
    }
}

static void check_chunk(const json_t *chunk)
{
    const json_t *profile = json_object_get(chunk, "profile");
    const json_t *samples = json_object_get(profile, "samples");
    json_t *image;
    size_t i;
    CHECK_STR(text_of(chunk, "version"), "2");
    CHECK_STR(text_of(chunk, "platform"), "native");
    CHECK(exp_id_is_valid(text_of(chunk, "chunk_id"), 32));
    CHECK_STR(
        text_of(chunk, "profiler_id"), "0123456789abcdef0123456789abcdef");
    CHECK(json_array_size(samples) > 0);
    double first = time_of(json_array_get(samples, 0)), last = first;
    for (i = 0; i < json_array_size(samples); i++) {
        double at = time_of(json_array_get(samples, i));
        CHECK(at >= last);
        last = at;
    }
    CHECK(last - first <= 60.000001);
    check_ids(profile);
    check_threads(profile);
    json_array_foreach(
        json_object_get(json_object_get(chunk, "debug_meta"), "images"), i,
        image) CHECK_STR(text_of(image, "type"), "symbolic");
}

static bool has_function(const json_t *profile, size_t stack, const char *name)
{
    json_t *number;
    size_t i;
    json_array_foreach(
        json_array_get(json_object_get(profile, "stacks"), stack), i, number)
    {
        const json_t *frame = json_array_get(
            json_object_get(profile, "frames"),
            (size_t)json_integer_value(number));
        if (strcmp(text_of(frame, "function"), name) == 0)
            return true;
    }
    return false;
}

/* Seconds that a function was on the stack: each sample stands until the next
   of its thread. "" is any. */
static double seconds_of(const struct taken *taken, const char *name)
{
    double sum = 0;
    for (size_t c = 0; c < taken->count; c++) {
        const json_t *profile = json_object_get(taken->chunks[c], "profile");
        const json_t *samples = json_object_get(profile, "samples");
        const json_t *stacks = json_object_get(profile, "stacks");
        size_t count = json_array_size(samples);
        for (size_t i = 0; i < count; i++) {
            const json_t *at = json_array_get(samples, i), *next = NULL;
            for (size_t j = i + 1; j < count && next == NULL; j++)
                if (strcmp(
                        text_of(json_array_get(samples, j), "thread_id"),
                        text_of(at, "thread_id")) == 0)
                    next = json_array_get(samples, j);
            size_t stack = stack_of(at);
            bool is_wanted =
                *name == '\0'
                    ? json_array_size(json_array_get(stacks, stack)) > 0
                    : has_function(profile, stack, name);
            if (next == NULL)
                CHECK(!is_wanted);
            else if (is_wanted)
                sum += time_of(next) - time_of(at);
        }
    }
    return sum;
}

/* Every sample may be off by a microsecond, to which it is rounded. */
static void check_seconds(
    const struct taken *taken, const char *name, double wanted)
{
    double slack = 1e-6, seconds = seconds_of(taken, name);
    for (size_t i = 0; i < taken->count; i++)
        slack += 1e-6 *
                 (double)json_array_size(json_object_get(
                     json_object_get(taken->chunks[i], "profile"), "samples"));
    if (fabs(seconds - wanted) > slack) {
        print_message("%s: %.9f s, not %.9f\n", name, seconds, wanted);
        CHECK(false);
    }
}

/* ---- profiles by hand ---- */

static struct prof_profile *program(void)
{
    struct prof_profile *profile = prof_profile_create();
    (void)prof_profile_add_value_type(profile, "cpu", "nanoseconds");
    prof_profile_origin(profile)->start_unix_ns = 1700000000 * SECOND;
    struct prof_process process = {
        .pid = 77,
        .name = prof_profile_string(profile, "app"),
        .path = prof_profile_string(profile, "/opt/app")};
    (void)prof_profile_add_process(profile, &process);
    return profile;
}

static uint32_t add_thread(
    struct prof_profile *profile, uint32_t tid, const char *name)
{
    struct prof_thread thread = {
        .tid = tid, .name = prof_profile_string(profile, name)};
    return prof_profile_add_thread(profile, &thread);
}

static void add_sample(
    struct prof_profile *profile, uint32_t thread, const char *function,
    uint64_t time_ns, uint64_t weight_ns)
{
    struct prof_sample sample = {
        .time_ns = time_ns,
        .thread = thread,
        .stack = prof_profile_add_stack(
            profile, PROF_NONE,
            prof_profile_add_named_frame(profile, PROF_FRAME_NAMED, function)),
        .state = PROF_STATE_ON_CPU,
        .values = {weight_ns}};
    (void)prof_profile_add_sample(profile, &sample);
}

/* A sample in an object of the program's, or of the system's. */
static void add_native_sample(
    struct prof_profile *profile, uint32_t thread, const char *path,
    const char *function)
{
    struct prof_module module = {
        .kind = PROF_MODULE_FILE,
        .path = prof_profile_string(profile, path),
        .build_id_bytes = 20,
        .build_id = {0xf1, 0xc3, 0xbc, 0xc0, 0x27, 0x98, 0x65,
                     0xfe, 0x30, 0x58, 0x40, 0x4b, 0x28, 0x31,
                     0xd9, 0xe6, 0x41, 0x35, 0x38, 0x6c}};
    uint32_t id = prof_profile_add_module(profile, &module);
    struct prof_mapping mapping = {
        .module = id,
        .start = 0x7f0000001000,
        .end = 0x7f0000005000,
        .offset = 0x1000};
    struct prof_line lines[2] = {
        {.function = prof_profile_string(profile, "small"),
         .file = prof_profile_string(profile, "/src/small.h"),
         .line = 3,
         .is_inlined = true},
        {.function = prof_profile_string(profile, function),
         .file = prof_profile_string(profile, "large.c"),
         .line = 40}};
    (void)prof_profile_add_mapping(profile, &mapping);
    uint32_t frame = prof_profile_add_native_frame(profile, id, 0x1234);
    prof_profile_set_lines(profile, frame, lines, 2);
    struct prof_sample sample = {
        .time_ns = (prof_profile_sample_count(profile) + 1) * SECOND,
        .thread = thread,
        .stack = prof_profile_add_stack(profile, PROF_NONE, frame),
        .values = {SECOND}};
    (void)prof_profile_add_sample(profile, &sample);
}

static const json_t *frame_of(const struct taken *taken, const char *function)
{
    json_t *frame;
    size_t i;
    json_array_foreach(
        json_object_get(json_object_get(taken->chunks[0], "profile"), "frames"),
        i,
        frame) if (strcmp(text_of(frame, "function"), function) == 0) return frame;
    return NULL;
}

/* ---- cases ---- */

TEST(chunk_images_are_symbolic_and_where_their_objects_were)
{
    struct prof_profile *profile = program();
    struct taken taken;
    uint32_t thread = add_thread(profile, 77, "main");
    add_native_sample(profile, thread, "/opt/app", "work");
    make(profile, 0, &taken);
    check_chunk(taken.chunks[0]);
    const json_t *images = json_object_get(
        json_object_get(taken.chunks[0], "debug_meta"), "images");
    CHECK_EQ(json_array_size(images), 1);
    const json_t *image = json_array_get(images, 0);
    CHECK_STR(text_of(image, "type"), "symbolic");
    CHECK_STR(text_of(image, "code_file"), "/opt/app");
    CHECK_STR(
        text_of(image, "debug_id"), "c0bcc3f1-9827-fe65-3058-404b2831d9e6");
    CHECK_STR(text_of(image, "image_addr"), "0x7f0000000000");
    CHECK_EQ(json_integer_value(json_object_get(image, "image_size")), 0x5000);
    /* The build-id of the main binary is the release nobody named. */
    CHECK_STR(
        text_of(taken.chunks[0], "release"),
        "f1c3bcc0279865fe3058404b2831d9e64135386c");
    drop(&taken);
    prof_profile_destroy(profile);
}

TEST(chunk_frames_have_object_place_and_whose_they_are)
{
    struct prof_profile *profile = program();
    struct taken taken;
    uint32_t thread = add_thread(profile, 77, "main");
    add_native_sample(profile, thread, "/opt/app", "work");
    add_native_sample(profile, thread, "/usr/lib/libz.so.1", "inflate");
    make(profile, 0, &taken);
    check_chunk(taken.chunks[0]);
    const json_t *own = frame_of(&taken, "work");
    const json_t *other = frame_of(&taken, "inflate");
    const json_t *inlined = frame_of(&taken, "small");
    CHECK_STR(text_of(own, "module"), "app");
    CHECK_STR(text_of(own, "package"), "/opt/app");
    CHECK_STR(text_of(own, "filename"), "large.c");
    CHECK_EQ(json_integer_value(json_object_get(own, "lineno")), 40);
    CHECK(json_is_true(json_object_get(own, "in_app")));
    CHECK_STR(text_of(other, "module"), "libz.so.1");
    CHECK(json_is_false(json_object_get(other, "in_app")));
    CHECK_STR(text_of(inlined, "filename"), "small.h");
    CHECK_STR(text_of(inlined, "abs_path"), "/src/small.h");
    check_seconds(&taken, "small", 2);
    /* Leaf first. */
    const json_t *profile_object = json_object_get(taken.chunks[0], "profile");
    const json_t *sample =
        json_array_get(json_object_get(profile_object, "samples"), 0);
    const json_t *stack = json_array_get(
        json_object_get(profile_object, "stacks"), stack_of(sample));
    CHECK_EQ(json_array_size(stack), 2);
    const json_t *leaf = json_array_get(
        json_object_get(profile_object, "frames"),
        (size_t)json_integer_value(json_array_get(stack, 0)));
    CHECK_STR(text_of(leaf, "function"), "small");
    drop(&taken);
    prof_profile_destroy(profile);
}

TEST(chunk_is_as_the_golden_file_has_it)
{
    struct prof_profile *profile = profile_story();
    struct taken taken;
    make(profile, 0, &taken);
    CHECK_EQ(taken.count, 1);
    check_chunk(taken.chunks[0]);
    json_object_del(taken.chunks[0], "client_sdk"); /* has our version */
    char *text =
        json_dumps(taken.chunks[0], JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    check_golden("story-chunk.json", text, strlen(text));
    free(text);
    drop(&taken);
    prof_profile_destroy(profile);
}

TEST(chunk_times_are_the_weights_of_the_story)
{
    struct prof_profile *profile = profile_story();
    struct taken taken;
    make(profile, 0, &taken);
    check_seconds(&taken, "", 0.0405); /* the sum of story.folded */
    check_seconds(&taken, "compress", 0.028);
    check_seconds(&taken, "memcpy", 0.007);
    check_seconds(&taken, "walk", 0.004);
    check_seconds(&taken, "[startup]", 0.002);
    check_seconds(&taken, "[exit]", 0.0005);
    check_seconds(&taken, "[no stack]", 0.001);
    drop(&taken);
    prof_profile_destroy(profile);
}

TEST(chunk_has_an_idle_sample_where_a_thread_goes_idle_and_none_elsewhere)
{
    struct prof_profile *profile = program();
    struct taken taken;
    uint32_t thread = add_thread(profile, 77, "main");
    add_sample(profile, thread, "f", 10 * SECOND, SECOND);
    add_sample(profile, thread, "f", 11 * SECOND + SECOND / 10, SECOND);
    add_sample(profile, thread, "g", 15 * SECOND, SECOND);
    make(profile, 0, &taken);
    CHECK_EQ(taken.count, 1);
    check_chunk(taken.chunks[0]);
    /* f at 9, f at 10 (moved there), idle at 11, g at 14, idle at 15. */
    const json_t *samples =
        json_object_get(json_object_get(taken.chunks[0], "profile"), "samples");
    CHECK_EQ(json_array_size(samples), 5);
    CHECK(time_of(json_array_get(samples, 1)) == 1700000010.0);
    check_seconds(&taken, "f", 2);
    check_seconds(&taken, "g", 1);
    drop(&taken);
    prof_profile_destroy(profile);
}

TEST(chunk_keeps_weights_where_samples_overlap)
{
    struct prof_profile *profile = program();
    struct taken taken;
    uint32_t thread = add_thread(profile, 77, "main");
    add_sample(profile, thread, "f", 10 * SECOND, 2 * SECOND);
    add_sample(profile, thread, "g", 11 * SECOND, 3 * SECOND);
    add_sample(profile, thread, "h", 12 * SECOND, SECOND);
    make(profile, 0, &taken);
    check_chunk(taken.chunks[0]);
    check_seconds(&taken, "f", 2);
    check_seconds(&taken, "g", 3);
    check_seconds(&taken, "h", 1);
    drop(&taken);
    prof_profile_destroy(profile);
}

TEST(chunk_of_a_thread_with_one_sample_has_two_halves_of_it)
{
    struct prof_profile *profile = program();
    struct taken taken;
    add_sample(profile, add_thread(profile, 77, "a"), "f", SECOND, SECOND / 2);
    add_sample(profile, add_thread(profile, 78, ""), "g", SECOND, SECOND / 4);
    make(profile, 0, &taken);
    check_chunk(taken.chunks[0]); /* which counts them */
    check_seconds(&taken, "f", 0.5);
    check_seconds(&taken, "g", 0.25);
    drop(&taken);
    prof_profile_destroy(profile);
}

TEST(chunks_are_cut_at_60_seconds_and_lose_nothing)
{
    struct prof_profile *profile = program();
    struct taken taken;
    uint32_t one = add_thread(profile, 77, "one");
    uint32_t two = add_thread(profile, 78, "two");
    add_sample(profile, one, "long", 400 * SECOND, 150 * SECOND);
    for (unsigned i = 0; i < 300; i++)
        add_sample(
            profile, two, i % 3 ? "f" : "g", (100 + i) * SECOND, SECOND / 3);
    make(profile, 0, &taken);
    CHECK_EQ(taken.count, 6); /* from 99.7 s to 400 s */
    for (size_t i = 0; i < taken.count; i++)
        check_chunk(taken.chunks[i]);
    CHECK_STR(
        text_of(taken.chunks[1], "chunk_id"),
        "fedcba98765443210fed000000000100");
    check_seconds(&taken, "long", 150);
    check_seconds(&taken, "f", 200.0 / 3);
    check_seconds(&taken, "g", 100.0 / 3);
    drop(&taken);
    prof_profile_destroy(profile);
}

TEST(chunks_are_cut_by_bytes_as_well)
{
    struct prof_profile *profile = program();
    struct taken taken;
    uint32_t thread = add_thread(profile, 77, "one");
    for (unsigned i = 0; i < 400; i++)
        add_sample(
            profile, thread, i % 3 ? "f" : "g", (100 + i) * SECOND / 10,
            SECOND / 30);
    make(profile, 8192, &taken);
    CHECK(taken.count > 4);
    for (size_t i = 0; i < taken.count; i++) {
        check_chunk(taken.chunks[i]);
        CHECK(taken.bytes[i] <= 8192);
    }
    check_seconds(&taken, "", 400.0 / 30);
    drop(&taken);
    prof_profile_destroy(profile);
}

TEST(chunks_of_a_session_go_on_where_the_last_ended)
{
    struct prof_profile *profile = program();
    struct taken taken = {.count = 0};
    struct exp_chunk_options options = options_of(&no_scope);
    struct exp_timeline timeline;
    uint32_t thread = add_thread(profile, 77, "one");
    exp_timeline_init(&timeline);
    add_sample(profile, thread, "f", 10 * SECOND, 2 * SECOND);
    add_sample(profile, thread, "f", 11 * SECOND, 2 * SECOND); /* to 12 */
    CHECK_OK(exp_chunks_make(
        profile, &timeline, 0, 2, &options, take, &taken, NULL));
    add_sample(profile, thread, "g", 12 * SECOND, SECOND); /* from 12 */
    CHECK_OK(exp_chunks_make(
        profile, &timeline, 2, 3, &options, take, &taken, NULL));
    CHECK_EQ(taken.count, 2);
    const json_t *samples =
        json_object_get(json_object_get(taken.chunks[1], "profile"), "samples");
    CHECK(time_of(json_array_get(samples, 0)) == 1700000012.0);
    exp_timeline_fini(&timeline);
    drop(&taken);
    prof_profile_destroy(profile);
}

TEST(chunk_says_what_the_scope_says)
{
    struct prof_profile *profile = profile_story();
    static const struct exp_scope scope = {
        .release = "app@1.2", .environment = "staging", .in_app = "compress"};
    struct exp_chunk_options options = options_of(&scope);
    struct exp_timeline timeline;
    struct taken taken = {.count = 0};
    exp_timeline_init(&timeline);
    CHECK_OK(exp_chunks_make(
        profile, &timeline, 0, prof_profile_sample_count(profile), &options,
        take, &taken, NULL));
    CHECK_STR(text_of(taken.chunks[0], "release"), "app@1.2");
    CHECK_STR(text_of(taken.chunks[0], "environment"), "staging");
    exp_timeline_fini(&timeline);
    drop(&taken);
    prof_profile_destroy(profile);
}

TEST(chunks_of_threads_in_several_processes_are_told_apart)
{
    struct prof_profile *profile = profile_two_processes();
    struct taken taken;
    make(profile, 0, &taken);
    check_chunk(taken.chunks[0]);
    const char *id;
    json_t *metadata;
    size_t named = 0;
    json_object_foreach(
        json_object_get(
            json_object_get(taken.chunks[0], "profile"), "thread_metadata"),
        id, metadata) named += strstr(text_of(metadata, "name"), " (") != NULL;
    CHECK(named >= 4);
    drop(&taken);
    prof_profile_destroy(profile);
}

TEST(chunks_of_a_profile_without_end_are_refused)
{
    struct prof_profile *profile = profile_huge_counts();
    struct exp_chunk_options options = options_of(&no_scope);
    struct exp_timeline timeline;
    struct taken taken = {.count = 0};
    exp_timeline_init(&timeline);
    CHECK_EQ(
        exp_chunks_make(
            profile, &timeline, 0, prof_profile_sample_count(profile), &options,
            take, &taken, NULL),
        STATUS_LIMIT);
    exp_timeline_fini(&timeline);
    prof_profile_destroy(profile);
}

TEST(chunk_has_the_readings_of_its_time_in_units_that_are_known)
{
    struct prof_profile *profile = program();
    struct taken taken;
    uint32_t thread = add_thread(profile, 77, "main");
    add_sample(profile, thread, "f", 10 * SECOND, SECOND);
    add_sample(profile, thread, "f", 100 * SECOND, SECOND);
    for (uint64_t i = 8; i < 110; i++)
        (void)prof_profile_add_reading(
            profile, &(struct prof_reading){
                         .time_ns = i * SECOND,
                         .span_ns = SECOND,
                         .cpu_ns = SECOND / 4,
                         .resident_bytes = 4096 * i});
    make(profile, 0, &taken);
    CHECK_EQ(taken.count, 2); /* from 9 s to 69, and from 99 */
    const json_t *measured = json_object_get(taken.chunks[0], "measurements");
    const json_t *cpu = json_object_get(measured, "cpu_usage");
    const json_t *memory = json_object_get(measured, "memory_footprint");
    CHECK_STR(text_of(cpu, "unit"), "percent");
    CHECK_STR(text_of(memory, "unit"), "byte");
    CHECK_EQ(json_array_size(json_object_get(cpu, "values")), 60);
    const json_t *first = json_array_get(json_object_get(memory, "values"), 0);
    CHECK(time_of(first) == 1700000009.0);
    CHECK(json_number_value(json_object_get(first, "value")) == 4096.0 * 9);
    CHECK(
        json_number_value(json_object_get(
            json_array_get(json_object_get(cpu, "values"), 5), "value")) ==
        25.0);
    drop(&taken);
    prof_profile_destroy(profile);
}

TEST(chunk_leaves_later_readings_to_the_next)
{
    struct prof_profile *profile = program();
    struct exp_chunk_options options = options_of(&no_scope);
    struct exp_timeline timeline;
    struct taken taken = {.count = 0};
    uint32_t thread = add_thread(profile, 77, "main");
    add_sample(profile, thread, "f", 10 * SECOND, SECOND);
    for (uint64_t i = 9; i < 20; i++)
        (void)prof_profile_add_reading(
            profile, &(struct prof_reading){
                         .time_ns = i * SECOND,
                         .span_ns = SECOND,
                         .resident_bytes = 4096});
    options.readings_end_ns = 12 * SECOND;
    exp_timeline_init(&timeline);
    CHECK_OK(exp_chunks_make(
        profile, &timeline, 0, prof_profile_sample_count(profile), &options,
        take, &taken, NULL));
    exp_timeline_fini(&timeline);
    const json_t *memory = json_object_get(
        json_object_get(taken.chunks[0], "measurements"), "memory_footprint");
    CHECK_EQ(json_array_size(json_object_get(memory, "values")), 3);
    drop(&taken);
    prof_profile_destroy(profile);
}

TEST(chunk_names_users_where_that_is_wanted_alone)
{
    struct exp_scope scope = {.is_pii_sent = false};
    for (int i = 0; i < 2; i++) {
        struct prof_profile *profile = program();
        struct exp_chunk_options options = options_of(&scope);
        struct exp_timeline timeline;
        struct taken taken = {.count = 0};
        uint32_t thread = add_thread(profile, 77, "main");
        add_native_sample(profile, thread, "/home/zaphod/app", "work");
        scope.is_pii_sent = i == 1;
        exp_timeline_init(&timeline);
        CHECK_OK(exp_chunks_make(
            profile, &timeline, 0, prof_profile_sample_count(profile), &options,
            take, &taken, NULL));
        exp_timeline_fini(&timeline);
        const char *wanted = i == 1 ? "/home/zaphod/app" : "/home/~/app";
        CHECK_STR(text_of(frame_of(&taken, "work"), "package"), wanted);
        const json_t *images = json_object_get(
            json_object_get(taken.chunks[0], "debug_meta"), "images");
        CHECK_STR(text_of(json_array_get(images, 0), "code_file"), wanted);
        drop(&taken);
        prof_profile_destroy(profile);
    }
}

TEST(chunks_of_nothing_are_none)
{
    struct prof_profile *profile = profile_empty();
    struct taken taken;
    make(profile, 0, &taken);
    CHECK_EQ(taken.count, 0);
    prof_profile_destroy(profile);
}
