/* The writer: bytes on disk, and what survives a bad end. */
#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <zlib.h>

#include "profiler/recording/perf_annex.h"
#include "profiler/recording/perf_format.h"
#include "profiler/recording/perf_writer.h"
#include "profiler/recording/reader.h"
#include "tests/profiler/recording/fixture.h"

static void record(const char *path, const struct prof_profile *profile)
{
    struct prof_recording *recording;
    CHECK_OK(prof_recording_create(path, &recording, NULL));
    CHECK_OK(prof_recording_finish(recording, profile, NULL));
    prof_recording_destroy(recording);
}

/* Only synced, as after a crash. */
static void record_unfinished(
    const char *path, const struct prof_profile *profile)
{
    struct prof_recording *recording;
    CHECK_OK(prof_recording_create(path, &recording, NULL));
    CHECK_OK(prof_recording_sync(recording, profile, NULL));
    prof_recording_destroy(recording);
}

static struct prof_profile *read_back(const char *path, struct diag *diag)
{
    struct prof_profile *profile = prof_profile_create();
    CHECK_OK(prof_recording_read(path, profile, diag));
    return profile;
}

/* Let files grow to `bytes` only, as on a full disk; 0 lifts it. */
static void limit_files(uint64_t bytes)
{
    struct rlimit limit;
    CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    CHECK_OK(getrlimit(RLIMIT_FSIZE, &limit));
    limit.rlim_cur = bytes > 0 ? bytes : limit.rlim_max;
    CHECK_OK(setrlimit(RLIMIT_FSIZE, &limit));
}

TEST(recording_gives_back_the_very_profile)
{
    struct prof_profile *p = fixture_everything();
    record(fixture_path("a.data"), p);
    struct diag diag;
    struct prof_profile *q = read_back(fixture_path("a.data"), &diag);
    CHECK_STR(diag.text, "");
    fixture_check_equal(q, p);
    prof_profile_destroy(p);
    prof_profile_destroy(q);
}

TEST(recording_of_an_empty_profile_is_readable)
{
    struct prof_profile *p = prof_profile_create();
    record(fixture_path("a.data"), p);
    struct diag diag;
    struct prof_profile *q = read_back(fixture_path("a.data"), &diag);
    CHECK_STR(diag.text, "");
    fixture_check_equal(q, p);
    prof_profile_destroy(p);
    prof_profile_destroy(q);
}

TEST(recording_begins_with_the_header_that_perf_expects)
{
    struct prof_profile *p = fixture_everything();
    record(fixture_path("a.data"), p);
    size_t bytes;
    unsigned char *data = fixture_read(fixture_path("a.data"), &bytes);
    uint64_t words[30];
    memcpy(words, data, sizeof words);
    assert_memory_equal(data, "PERFILE2", 8);
    CHECK_EQ(words[1], 104);      /* header */
    CHECK_EQ(words[2], 112 + 16); /* each event */
    CHECK_EQ(words[3], 104);      /* events */
    CHECK_EQ(words[4], 128);
    CHECK_EQ(words[5], 240); /* data */
    CHECK_EQ(words[6] % 8, 0);
    CHECK_EQ(words[9], 0x2018fc);    /* features 2-7, 11, 12, 21 */
    CHECK_EQ(words[12], 1ull << 58); /* 250 */
    CHECK_EQ(words[13], 112ull << 32 | PERF_TYPE_SOFTWARE);
    CHECK_EQ(words[14], PERF_COUNT_SW_CPU_CLOCK);
    CHECK_EQ(words[15], 1003009); /* period */
    CHECK_EQ(words[16], 0x127);   /* IP TID TIME CALLCHAIN PERIOD */
    CHECK_EQ(words[27], 232);     /* ids */
    CHECK_EQ(words[28], 8);
    assert_memory_equal(data + 232, "watchfir", 8);
    free(data);
    prof_profile_destroy(p);
}

TEST(recording_is_read_without_its_annex)
{
    struct prof_profile *p = fixture_everything();
    record_unfinished(fixture_path("a.data"), p);
    struct diag diag;
    struct prof_profile *q = read_back(fixture_path("a.data"), &diag);
    CHECK(strstr(diag.text, "was not finished") != NULL);
    char *actual = fixture_render(q, 0), *wanted = fixture_render(p, 0);
    fixture_check_lines(actual, wanted);
    free(actual);
    free(wanted);
    prof_profile_destroy(p);
    prof_profile_destroy(q);
}

/* The first `samples` of a profile, and all of its other tables. */
static struct prof_profile *grow(
    const struct prof_profile *whole, uint32_t samples,
    struct prof_profile *part)
{
    while (prof_profile_sample_count(part) < samples)
        prof_profile_add_sample(
            part, prof_profile_sample(whole, prof_profile_sample_count(part)));
    return part;
}

TEST(recording_synced_in_steps_equals_one_synced_at_once)
{
    struct prof_profile *whole = fixture_everything();
    struct prof_profile *part = fixture_without_samples();
    struct prof_recording *recording;
    CHECK_OK(
        prof_recording_create(fixture_path("steps.data"), &recording, NULL));
    for (uint32_t i = 0; i <= prof_profile_sample_count(whole); i += 7)
        CHECK_OK(prof_recording_sync(recording, grow(whole, i, part), NULL));
    CHECK_OK(prof_recording_finish(recording, part, NULL));
    prof_recording_destroy(recording);
    record(fixture_path("once.data"), whole);

    size_t steps_bytes, once_bytes;
    unsigned char *steps =
        fixture_read(fixture_path("steps.data"), &steps_bytes);
    unsigned char *once = fixture_read(fixture_path("once.data"), &once_bytes);
    CHECK_EQ(steps_bytes, once_bytes);
    assert_memory_equal(steps, once, once_bytes);
    free(steps);
    free(once);
    prof_profile_destroy(whole);
    prof_profile_destroy(part);
}

TEST(recording_keeps_what_was_synced_when_cut_at_any_byte)
{
    struct prof_profile *whole = fixture_everything();
    char *wanted = fixture_render(whole, 0);
    for (uint64_t limit = 240; limit < 9500; limit += 64) {
        struct prof_profile *part = fixture_without_samples();
        struct prof_recording *recording;
        const char *path = fixture_path("cut.data");
        (void)unlink(path);
        limit_files(limit);
        CHECK_OK(prof_recording_create(path, &recording, NULL));
        uint32_t synced = 0;
        for (uint32_t i = 0; i <= 70; i += 10) {
            if (prof_recording_sync(recording, grow(whole, i, part), NULL))
                break;
            synced = i;
        }
        prof_recording_destroy(recording);
        limit_files(0);

        struct diag diag;
        struct prof_profile *q = read_back(path, &diag);
        CHECK(prof_profile_sample_count(q) >= synced);
        if (synced == 70) {
            char *actual = fixture_render(q, 0);
            fixture_check_lines(actual, wanted);
            free(actual);
        }
        prof_profile_destroy(q);
        prof_profile_destroy(part);
    }
    free(wanted);
    prof_profile_destroy(whole);
}

TEST(recording_goes_on_when_a_full_disk_has_room_again)
{
    struct prof_profile *p = fixture_everything();
    struct prof_recording *recording;
    struct diag diag;
    const char *path = fixture_path("full.data");
    CHECK_OK(prof_recording_create(path, &recording, NULL));
    limit_files(4000);
    CHECK_EQ(prof_recording_sync(recording, p, &diag), STATUS_SYSTEM);
    CHECK_EQ(diag.sys_errno, EFBIG);
    CHECK(strstr(diag.text, "of the recording: File too large") != NULL);
    CHECK_EQ(prof_recording_finish(recording, p, &diag), STATUS_SYSTEM);
    limit_files(0);
    CHECK_OK(prof_recording_finish(recording, p, &diag));
    prof_recording_destroy(recording);

    struct prof_profile *q = read_back(path, &diag);
    CHECK_STR(diag.text, "");
    fixture_check_equal(q, p);
    prof_profile_destroy(p);
    prof_profile_destroy(q);
}

TEST(recording_refuses_what_cannot_seek)
{
    int ends[2];
    struct prof_recording *recording = NULL;
    struct diag diag;
    CHECK_OK(pipe(ends));
    CHECK_EQ(
        prof_recording_adopt_fd(ends[1], &recording, &diag),
        STATUS_UNSUPPORTED);
    CHECK(recording == NULL);
    CHECK_OK(close(ends[0]));
    CHECK_OK(close(ends[1])); /* still ours */
    CHECK_EQ(
        prof_recording_create("/nonexistent/x", &recording, &diag),
        STATUS_SYSTEM);
}

static struct prof_profile *deep_profile(uint32_t depth)
{
    struct prof_profile *p = prof_profile_create();
    prof_profile_add_value_type(p, "cpu", "nanoseconds");
    struct prof_process process = {.pid = 7};
    struct prof_thread thread = {
        .process = prof_profile_add_process(p, &process), .tid = 7};
    uint32_t thread_id = prof_profile_add_thread(p, &thread);
    struct prof_module module = {.path = prof_profile_string(p, "/bin/deep")};
    uint32_t module_id = prof_profile_add_module(p, &module);
    struct prof_mapping mapping = {
        .module = module_id, .start = 0x400000, .end = 0x500000};
    prof_profile_add_mapping(p, &mapping);
    uint32_t stack = PROF_NONE;
    for (uint32_t i = 0; i < depth; i++)
        stack = prof_profile_add_stack(
            p, stack, prof_profile_add_native_frame(p, module_id, i * 16));
    fixture_sample(p, thread_id, stack, 1000, 5);
    return p;
}

TEST(recording_cuts_the_outermost_frames_of_a_stack_that_no_record_holds)
{
    struct prof_profile *p = deep_profile(20000);
    struct diag diag;
    record_unfinished(fixture_path("deep.data"), p);
    struct prof_profile *q = read_back(fixture_path("deep.data"), &diag);
    const struct prof_sample *sample = prof_profile_sample(q, 0);
    const struct prof_stack *leaf = prof_profile_stack(q, sample->stack);
    CHECK_EQ(leaf->depth, PERF_CHAIN_MAX - 2);
    CHECK_EQ(prof_profile_frame(q, leaf->frame)->offset, 19999 * 16);
    CHECK_EQ(sample->flags, PROF_SAMPLE_TRUNCATED);
    CHECK_EQ(prof_profile_loss(q, PROF_LOSS_CUT), 1);
    prof_profile_destroy(q);

    record(fixture_path("deep.data"), p);
    q = read_back(fixture_path("deep.data"), &diag);
    fixture_check_equal(q, p);
    prof_profile_destroy(p);
    prof_profile_destroy(q);
}

TEST(recording_holds_more_than_a_chunk)
{
    struct prof_profile *p = deep_profile(1024);
    for (uint64_t i = 0; i < 500; i++)
        fixture_sample(p, 0, 1023 - (uint32_t)i, 2000 + i, i);
    struct diag diag;
    record_unfinished(fixture_path("big.data"), p);
    struct prof_profile *q = read_back(fixture_path("big.data"), &diag);
    char *actual = fixture_render(q, 0), *wanted = fixture_render(p, 0);
    fixture_check_lines(actual, wanted);
    CHECK_EQ(prof_profile_loss(q, PROF_LOSS_CUT), 0);
    free(actual);
    free(wanted);
    prof_profile_destroy(p);
    prof_profile_destroy(q);
}

TEST(recording_that_goes_on_takes_no_memory_for_it)
{
    enum { SAMPLES = 400000, AT_ONCE = 4096 };
    struct prof_profile *p = fixture_without_samples();
    struct prof_recording *recording;
    const char *path = fixture_path("long.data");
    uint32_t main = prof_profile_add_named_frame(p, PROF_FRAME_NAMED, "main");
    uint32_t stack = prof_profile_add_stack(p, PROF_NONE, main);
    CHECK_OK(prof_recording_create(path, &recording, NULL));
    uint64_t before = test_allocated_bytes(), most = 0, weight = 0;
    for (uint32_t i = 0; i < SAMPLES; i++) {
        fixture_sample(p, 0, stack, 1000 + i, i % 100 + 1);
        if (i % AT_ONCE != 0)
            continue;
        CHECK_OK(prof_recording_sync(recording, p, NULL));
        prof_profile_sum_samples(p, false);
        if (test_allocated_bytes() > most)
            most = test_allocated_bytes();
    }
    CHECK_OK(prof_recording_finish(recording, p, NULL));
    prof_recording_destroy(recording);
    /* One by one: 22 MB; with the rows of the annex in memory 4.7. */
    CHECK(most - before < 4 << 20);
    CHECK_EQ(prof_profile_added_count(p), SAMPLES);
    prof_profile_destroy(p);

    struct diag diag = {0};
    struct prof_profile *q = read_back(path, &diag);
    CHECK_STR(diag.text, "");
    CHECK_EQ(prof_profile_sample_count(q), SAMPLES);
    for (uint32_t id = 0; id < SAMPLES; id++) {
        const struct prof_sample *sample = prof_profile_sample(q, id);
        CHECK_EQ(sample->time_ns, 1000 + id);
        weight += sample->values[0];
    }
    CHECK_EQ(weight, UINT64_C(50) * SAMPLES + SAMPLES / 2);
    prof_profile_destroy(q);
}

TEST(recording_says_that_samples_were_summed_before_it_had_them)
{
    struct prof_profile *p = fixture_everything();
    struct prof_recording *recording;
    struct diag diag = {0};
    CHECK_OK(
        prof_recording_create(fixture_path("late.data"), &recording, NULL));
    prof_profile_sum_samples(p, true);
    CHECK_EQ(prof_recording_sync(recording, p, &diag), STATUS_LIMIT);
    CHECK_EQ(prof_recording_finish(recording, p, &diag), STATUS_LIMIT);
    prof_recording_destroy(recording);
    prof_profile_destroy(p);
}

static void write_annex(struct prof_buffer *annex, const struct prof_profile *p)
{
    struct prof_buffer rows = {0};
    uint64_t previous_ns = 0;
    for (uint32_t id = 0; id < prof_profile_sample_count(p); id++) {
        const struct prof_sample *sample = prof_profile_sample(p, id);
        prof_perf_annex_put_sample(&rows, p, sample, previous_ns);
        previous_ns = sample->time_ns;
    }
    prof_perf_annex_write(annex, p, prof_profile_sample_count(p), rows.count);
    prof_buffer_put(annex, rows.data, rows.count);
    prof_perf_annex_put_tail(
        annex, (uint32_t)crc32_z(0, annex->data, annex->count));
    prof_buffer_fini(&rows);
}

TEST(annex_refuses_a_later_version_and_a_wrong_checksum)
{
    struct prof_profile *p = fixture_everything();
    struct prof_profile *q = prof_profile_create();
    struct prof_buffer annex = {0};
    write_annex(&annex, p);
    annex.data[20] ^= 1;
    CHECK_EQ(
        prof_perf_annex_read(annex.data, annex.count, q, NULL),
        STATUS_MALFORMED);
    CHECK_EQ(prof_profile_string_count(q), 1);
    annex.data[20] ^= 1;
    CHECK_OK(prof_perf_annex_read(annex.data, annex.count, q, NULL));

    /* Version 2 with a good checksum. */
    static const unsigned char later[] = {'w', 'f',  '-',  'a',  'n', 'n',
                                          'e', 'x',  2,    0,    0,   0,
                                          0,   0x19, 0x0f, 0x4e, 0x69};
    struct diag diag;
    CHECK_EQ(
        prof_perf_annex_read(later, sizeof later, q, &diag),
        STATUS_UNSUPPORTED);
    CHECK_STR(diag.text, "the annex is of version 2, this watchfire reads 1");
    prof_buffer_fini(&annex);
    prof_profile_destroy(p);
    prof_profile_destroy(q);
}
