/* The reader: recordings made by hand, good and hostile. */
#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zstd.h>

#include "profiler/recording/perf_record.h"
#include "profiler/recording/perf_writer.h"
#include "profiler/recording/reader.h"
#include "tests/profiler/recording/fixture.h"

#define APP  0x400000ull
#define USER PERF_CONTEXT_USER
#define KERN PERF_CONTEXT_KERNEL

/* ---- making recordings: a pipe's, which is the simplest container ---- */

static struct perf_event_attr clock_attr(void)
{
    return (struct perf_event_attr){
        .type = PERF_TYPE_SOFTWARE,
        .config = PERF_COUNT_SW_CPU_CLOCK,
        .size = sizeof(struct perf_event_attr),
        .sample_type = PERF_OWN_SAMPLE_TYPE,
        .sample_id_all = 1};
}

static void put_header(struct prof_buffer *b, uint32_t type, size_t body)
{
    struct perf_event_header header = {
        .type = type, .size = (uint16_t)(sizeof header + body)};
    prof_buffer_put(b, &header, sizeof header);
}

static void put_attr(
    struct prof_buffer *b, const struct perf_event_attr *attr, uint64_t id)
{
    put_header(b, PERF_USER_HEADER_ATTR, sizeof *attr + 8);
    prof_buffer_put(b, attr, sizeof *attr);
    prof_buffer_u64(b, id);
}

static struct prof_buffer begin(void)
{
    struct prof_buffer b = {0};
    struct perf_event_attr attr = clock_attr();
    prof_buffer_u64(&b, PERF_FILE_MAGIC);
    prof_buffer_u64(&b, PERF_PIPE_HEADER);
    put_attr(&b, &attr, 5);
    return b;
}

static void put_app(
    struct prof_buffer *b, uint32_t pid, uint64_t start, uint64_t bytes,
    const char *path, uint64_t time_ns)
{
    struct perf_mmap mmap = {.start = start, .bytes = bytes, .path = path};
    prof_perf_put_mmap(b, (struct perf_stamp){pid, pid, time_ns}, &mmap);
}

static void put_sample(
    struct prof_buffer *b, uint32_t pid, uint64_t time_ns,
    const uint64_t *chain, uint32_t count)
{
    struct perf_sample sample = {
        .stamp = {pid, pid, time_ns},
        .period = 9,
        .ip = count > 1 ? chain[1] : 0,
        .chain = chain,
        .chain_count = count};
    prof_perf_put_sample(b, &sample);
}

static void put_one(
    struct prof_buffer *b, uint32_t pid, uint64_t time_ns, uint64_t ip)
{
    put_sample(b, pid, time_ns, (uint64_t[]){USER, ip}, 2);
}

static enum status read_bytes(
    const struct prof_buffer *b, struct prof_profile **profile,
    struct diag *diag)
{
    *profile = prof_profile_create();
    fixture_write(fixture_path("made.data"), b->data, b->count);
    return prof_recording_read(fixture_path("made.data"), *profile, diag);
}

/* Read it, compare the samples, and free both. */
static void check_reads(struct prof_buffer *b, const char *wanted)
{
    struct prof_profile *p;
    struct diag diag;
    CHECK_OK(read_bytes(b, &p, &diag));
    char *actual = fixture_render(p, 0);
    fixture_check_lines(actual, wanted);
    free(actual);
    prof_profile_destroy(p);
    prof_buffer_fini(b);
}

static void check_fails(
    struct prof_buffer *b, enum status wanted, const char *said)
{
    struct prof_profile *p;
    struct diag diag;
    CHECK_EQ(read_bytes(b, &p, &diag), wanted);
    CHECK_EQ(diag.status, wanted);
    if (strstr(diag.text, said) == NULL)
        CHECK_STR(diag.text, said);
    prof_profile_destroy(p);
    prof_buffer_fini(b);
}

/* ---- what records mean ---- */

TEST(callers_are_return_addresses_less_one_and_each_context_starts_exact)
{
    struct prof_buffer b = begin();
    put_app(&b, 1, APP, 0x1000, "/app", 1);
    uint64_t chain[] = {KERN, 0xffffffff81000010, 0xffffffff81000020,
                        USER, APP + 0x10,         APP + 0x20,
                        0};
    put_sample(&b, 1, 5, chain, 7);
    check_reads(
        &b, "5 9 [kernel.kallsyms]+ffffffff81000010 "
            "[kernel.kallsyms]+ffffffff8100001f /app+10 /app+1f "
            "[unknown]+0\n");
}

TEST(garbage_that_looks_like_a_marker_ends_a_chain)
{
    struct prof_buffer b = begin();
    put_app(&b, 1, APP, 0x1000, "/app", 1);
    put_sample(
        &b, 1, 5, (uint64_t[]){USER, APP, APP + 9, KERN, APP, USER, APP}, 7);
    put_sample(&b, 1, 6, (uint64_t[]){USER, APP, UINT64_MAX - 9, APP}, 4);
    check_reads(&b, "5 9 /app+0 /app+8\n6 9 /app+0\n");
}

TEST(records_count_in_order_of_time)
{
    struct prof_buffer b = begin();
    put_one(&b, 1, 30, APP + 1);
    put_one(&b, 1, 10, APP + 1);
    put_app(&b, 1, APP, 0x1000, "/new", 20);
    put_app(&b, 1, APP, 0x1000, "/old", 5);
    check_reads(&b, "10 9 /old+1\n30 9 /new+1\n");
}

TEST(rounds_let_go_of_what_is_older_than_the_round_before)
{
    struct prof_buffer b = begin();
    put_app(&b, 1, APP, 0x1000, "/old", 5);
    put_one(&b, 1, 30, APP + 1);
    put_header(&b, PERF_USER_FINISHED_ROUND, 0);
    put_app(&b, 1, APP, 0x1000, "/new", 25);
    put_one(&b, 1, 20, APP + 1);
    put_header(&b, PERF_USER_FINISHED_ROUND, 0);
    put_one(&b, 1, 40, APP + 1);
    check_reads(&b, "20 9 /old+1\n30 9 /new+1\n40 9 /new+1\n");
}

TEST(a_round_keeps_what_the_next_may_still_precede)
{
    struct prof_buffer b = begin();
    put_app(&b, 1, APP, 0x1000, "/old", 5);
    put_one(&b, 1, 30, APP + 1);
    put_header(&b, PERF_USER_FINISHED_ROUND, 0);
    put_one(&b, 1, 50, APP + 1);
    put_header(&b, PERF_USER_FINISHED_ROUND, 0);
    put_app(&b, 1, APP, 0x1000, "/new", 40);
    check_reads(&b, "30 9 /old+1\n50 9 /new+1\n");
}

TEST(a_mapping_replaces_what_it_overlaps)
{
    struct prof_buffer b = begin();
    put_app(&b, 1, APP, 0x4000, "/wide", 1);
    put_app(&b, 1, APP + 0x1000, 0x1000, "/in", 2);
    for (uint64_t page = 0; page < 4; page++)
        put_one(&b, 1, 10 + page, APP + page * 0x1000 + 8);
    put_app(&b, 1, APP - 0x1000, 0x4000, "/over", 20);
    for (uint64_t page = 0; page < 4; page++)
        put_one(&b, 1, 30 + page, APP + page * 0x1000 + 8);
    check_reads(
        &b, "10 9 /wide+8\n11 9 /in+8\n12 9 /wide+2008\n13 9 /wide+3008\n"
            "30 9 /over+1008\n31 9 /over+2008\n32 9 /over+3008\n"
            "33 9 /wide+3008\n");
}

TEST(a_child_inherits_mappings_until_it_execs)
{
    struct prof_buffer b = begin();
    struct perf_stamp child = {2, 2, 10};
    prof_perf_put_comm(&b, (struct perf_stamp){1, 1, 0}, "shell", false);
    put_app(&b, 1, APP, 0x1000, "/shell", 0);
    prof_perf_put_fork(&b, child, 1);
    put_one(&b, 2, 11, APP + 1);
    child.time_ns = 20;
    prof_perf_put_comm(&b, child, "tool", true);
    put_app(&b, 2, APP, 0x1000, "/tool", 21);
    put_one(&b, 2, 22, APP + 1);

    struct prof_profile *p;
    struct diag diag;
    CHECK_OK(read_bytes(&b, &p, &diag));
    char *actual = fixture_render(p, 0);
    fixture_check_lines(actual, "11 9 /shell+1\n22 9 /tool+1\n");
    free(actual);

    CHECK_EQ(prof_profile_process_count(p), 3);
    const struct prof_process *forked = prof_profile_process(p, 1);
    const struct prof_process *image = prof_profile_process(p, 2);
    CHECK_STR(prof_profile_text(p, forked->name), "shell");
    CHECK_STR(prof_profile_text(p, forked->path), "/shell");
    CHECK_EQ(forked->parent_pid, 1);
    CHECK_EQ(forked->start_ns, 10);
    CHECK_EQ(forked->end_ns, 20);
    CHECK_STR(prof_profile_text(p, image->name), "tool");
    CHECK_STR(prof_profile_text(p, image->path), "/tool");
    CHECK_EQ(image->pid, 2);
    CHECK_EQ(image->parent_pid, 1);
    prof_profile_destroy(p);
    prof_buffer_fini(&b);
}

TEST(modules_are_told_by_the_name_of_the_mapping)
{
    struct prof_buffer b = begin();
    static const char *const names[] = {
        "/gone (deleted)", "//anon", "[heap]", "[vdso]", "/memfd:x (deleted)"};
    for (uint64_t i = 0; i < 5; i++) {
        put_app(&b, 1, APP + i * 0x1000, 0x1000, names[i], 0);
        put_one(&b, 1, 5 + i, APP + i * 0x1000 + 4);
    }
    check_reads(
        &b, "5 9 /gone+4\n6 9 anon+401004\n7 9 anon+402004\n8 9 [vdso]+4\n"
            "9 9 /memfd:x+4\n");
}

TEST(recordings_are_read_from_standard_input)
{
    struct prof_buffer b = begin();
    put_one(&b, 1, 5, APP);
    fixture_write(fixture_path("stdin.data"), b.data, b.count);
    char command[256];
    (void)snprintf(
        command, sizeof command, "cat '%s'", fixture_path("stdin.data"));
    int kept = dup(STDIN_FILENO);
    FILE *pipe = popen(command, "r");
    CHECK(pipe != NULL);
    CHECK(dup2(fileno(pipe), STDIN_FILENO) == STDIN_FILENO);
    struct prof_profile *p = prof_profile_create();
    CHECK_OK(prof_recording_read("-", p, NULL));
    CHECK(dup2(kept, STDIN_FILENO) == STDIN_FILENO);
    (void)close(kept);
    CHECK_OK(pclose(pipe));
    CHECK_EQ(prof_profile_sample_count(p), 1);
    prof_profile_destroy(p);
    prof_buffer_fini(&b);
}

TEST(lost_records_are_counted)
{
    struct prof_buffer b = begin();
    put_header(&b, PERF_RECORD_LOST, 32);
    prof_buffer_u64(&b, 5);
    prof_buffer_u64(&b, 1234);
    prof_buffer_zero(&b, 16);
    struct prof_profile *p;
    struct diag diag;
    CHECK_OK(read_bytes(&b, &p, &diag));
    CHECK_EQ(prof_profile_loss(p, PROF_LOSS_RING_FULL), 1234);
    prof_profile_destroy(p);
    prof_buffer_fini(&b);
}

TEST(one_event_is_kept_and_the_others_are_told)
{
    struct prof_buffer b = {0};
    struct perf_event_attr attr = clock_attr();
    attr.sample_type = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP;
    attr.sample_period = 77;
    attr.type = PERF_TYPE_HARDWARE;
    attr.config = PERF_COUNT_HW_INSTRUCTIONS;
    prof_buffer_u64(&b, PERF_FILE_MAGIC);
    prof_buffer_u64(&b, PERF_PIPE_HEADER);
    put_attr(&b, &attr, 100);
    attr.config |= 4ull << 32; /* on the small cores */
    attr.sample_period = 78;
    put_attr(&b, &attr, 101);
    attr.config = PERF_COUNT_HW_CPU_CYCLES;
    put_attr(&b, &attr, 102);
    for (uint64_t i = 0; i < 6; i++) {
        put_header(&b, PERF_RECORD_SAMPLE, 16);
        prof_buffer_u64(&b, 100 + i % 3);
        prof_buffer_u64(&b, 0x1000 + i);
    }
    struct prof_profile *p;
    struct diag diag;
    CHECK_OK(read_bytes(&b, &p, &diag));
    CHECK_STR(
        diag.text, "only samples of instructions were kept, 2 of other events "
                   "left out");
    char *actual = fixture_render(p, 0);
    fixture_check_lines(
        actual, "0 77 [unknown]+1000\n0 77 [unknown]+1003\n"
                "0 78 [unknown]+1001\n0 78 [unknown]+1004\n");
    CHECK_STR(
        prof_profile_text(p, prof_profile_value_type(p, 0)->name),
        "instructions");
    free(actual);
    prof_profile_destroy(p);
    prof_buffer_fini(&b);
}

TEST(every_field_of_a_sample_is_stepped_over)
{
    struct prof_buffer b = {0};
    struct perf_event_attr attr = clock_attr();
    attr.sample_type = (1u << 14) - 1; /* up to STACK_USER */
    attr.read_format = PERF_FORMAT_GROUP | PERF_FORMAT_ID;
    attr.branch_sample_type = PERF_SAMPLE_BRANCH_HW_INDEX;
    attr.sample_regs_user = 0x7;
    prof_buffer_u64(&b, PERF_FILE_MAGIC);
    prof_buffer_u64(&b, PERF_PIPE_HEADER);
    put_attr(&b, &attr, 5);
    uint64_t body[] = {
        APP,            /* ip */
        1ull << 32 | 1, /* pid, tid */
        50,             /* time */
        0,
        5,
        0,
        0, /* address, id, stream, cpu */
        9, /* period */
        2,
        1,
        5,
        2,
        6, /* two counters of a group */
        2,
        USER,
        APP,          /* chain */
        0xcc00000004, /* raw: 4 bytes */
        1,
        0,
        1,
        2,
        3, /* one branch */
        PERF_SAMPLE_REGS_ABI_64,
        1,
        2,
        3, /* three registers */
        8,
        0x1234,
        8}; /* a stack of 8 bytes */
    put_header(&b, PERF_RECORD_SAMPLE, sizeof body);
    prof_buffer_put(&b, body, sizeof body);
    struct prof_profile *p;
    struct diag diag;
    CHECK_OK(read_bytes(&b, &p, &diag));
    CHECK_EQ(prof_profile_loss(p, PROF_LOSS_INCOMPLETE), 1);
    char *actual = fixture_render(p, 0);
    fixture_check_lines(actual, "50 9 [unknown]+400000\n");
    free(actual);
    prof_profile_destroy(p);

    /* A byte less, and the last of them reaches past the end. */
    for (size_t size = sizeof body - 16; size >= 8; size -= 8) {
        struct prof_buffer shorter = {0};
        size_t head = b.count - sizeof body - sizeof(struct perf_event_header);
        prof_buffer_put(&shorter, b.data, head);
        put_header(&shorter, PERF_RECORD_SAMPLE, size);
        prof_buffer_put(&shorter, body, size);
        check_fails(&shorter, STATUS_MALFORMED, "too short for its event");
    }
    prof_buffer_fini(&b);
}

/* ---- hostile ---- */

TEST(another_byte_order_and_another_format_are_refused_by_name)
{
    struct prof_buffer b = {0};
    prof_buffer_put(&b, "2ELIFREP\0\0\0\0\0\0\0\x68", 16);
    check_fails(&b, STATUS_UNSUPPORTED, "the other byte order");
    prof_buffer_put(&b, "PERFFILE\x68\0\0\0\0\0\0\0", 16);
    check_fails(&b, STATUS_UNSUPPORTED, "not of the perf.data format");
    prof_buffer_put(
        &b,
        "\x7f"
        "ELF\2\1\1\0",
        8);
    check_fails(&b, STATUS_UNSUPPORTED, "neither perf.data nor folded");
    check_fails(&b, STATUS_MALFORMED, "is empty");
    prof_buffer_put(&b, "PERFILE2", 8);
    check_fails(&b, STATUS_MALFORMED, "ends before");
}

TEST(a_record_smaller_than_its_header_is_malformed)
{
    struct prof_buffer b = begin();
    prof_buffer_zero(&b, 16);
    check_fails(&b, STATUS_MALFORMED, "less than a header");
}

TEST(a_record_before_any_event_is_malformed)
{
    struct prof_buffer b = {0};
    prof_buffer_u64(&b, PERF_FILE_MAGIC);
    prof_buffer_u64(&b, PERF_PIPE_HEADER);
    put_one(&b, 1, 1, APP);
    check_fails(&b, STATUS_MALFORMED, "too short for its event");
}

TEST(forks_cannot_multiply_mappings_without_bound)
{
    struct prof_buffer b = begin();
    for (uint64_t i = 0; i < 40000; i++)
        put_app(&b, 1, APP + i * 0x1000, 0x1000, "/x", 0);
    for (uint32_t pid = 2; pid < 2000; pid++)
        prof_perf_put_fork(&b, (struct perf_stamp){pid, pid, 5}, 1);
    put_one(&b, 2, 9, APP);
    put_one(&b, 1999, 9, APP);
    check_reads(&b, "9 9 /x+0\n9 9 [unknown]+400000\n");
}

/* Zeros, which zstd makes 60 MB of in a record. */
static void put_bomb(struct prof_buffer *b, size_t plain_bytes)
{
    char *zeros = calloc(1, plain_bytes);
    char *packed = malloc(65000);
    CHECK(zeros != NULL && packed != NULL);
    size_t bytes = ZSTD_compress(packed, 65000, zeros, plain_bytes, 1);
    CHECK(!ZSTD_isError(bytes));
    put_header(b, PERF_USER_COMPRESSED, bytes);
    prof_buffer_put(b, packed, bytes);
    free(zeros);
    free(packed);
}

TEST(a_compressed_record_cannot_expand_without_bound)
{
    struct prof_buffer b = begin();
    put_bomb(&b, 80u << 20);
    check_fails(&b, STATUS_LIMIT, "expands to more than");
    b = begin();
    put_bomb(&b, 1 << 20);
    check_fails(&b, STATUS_MALFORMED, "less than a header");
    b = begin();
    put_header(&b, PERF_USER_COMPRESSED, 8);
    prof_buffer_zero(&b, 8);
    check_fails(&b, STATUS_MALFORMED, "broken zstd");
}

/* Compress `bytes` from `*at` on into a record of the stream. */
static void put_packed(
    struct prof_buffer *b, ZSTD_CStream *zstd, const unsigned char **at,
    size_t bytes)
{
    static char packed[65000];
    ZSTD_inBuffer in = {*at, bytes, 0};
    ZSTD_outBuffer out = {packed, sizeof packed, 0};
    CHECK_EQ(ZSTD_compressStream2(zstd, &out, &in, ZSTD_e_flush), 0);
    put_header(b, PERF_USER_COMPRESSED, out.pos);
    prof_buffer_put(b, packed, out.pos);
    *at += bytes;
}

TEST(compressed_records_may_end_in_the_middle_of_one)
{
    struct prof_buffer plain = {0}, b = begin();
    put_app(&plain, 1, APP, 0x1000, "/app", 1);
    put_one(&plain, 1, 5, APP + 1);
    ZSTD_CStream *zstd = ZSTD_createCStream();
    CHECK(zstd != NULL);
    const unsigned char *at = plain.data, *end = at + plain.count;
    while (at < end)
        put_packed(&b, zstd, &at, end - at < 50 ? (size_t)(end - at) : 50);
    (void)ZSTD_freeCStream(zstd);
    prof_buffer_fini(&plain);
    check_reads(&b, "5 9 /app+1\n");
}

/* All input is taken while output of the last block still waits for room. */
TEST(a_compressed_record_may_fill_the_buffer_to_the_brim)
{
    struct prof_buffer plain = {0}, b = begin();
    put_app(&plain, 1, APP, 0x1000, "/app", 1);
    for (uint64_t i = 0; i < (1 << 20) / 64 - 1; i++)
        put_one(&plain, 1, 5, APP);
    CHECK_EQ(plain.count, (1 << 20) + 32);
    ZSTD_CStream *zstd = ZSTD_createCStream();
    CHECK(zstd != NULL);
    const unsigned char *at = plain.data;
    put_packed(&b, zstd, &at, 40);
    put_packed(&b, zstd, &at, plain.count - 40);
    (void)ZSTD_freeCStream(zstd);
    prof_buffer_fini(&plain);

    struct prof_profile *p;
    struct diag diag;
    CHECK_OK(read_bytes(&b, &p, &diag));
    CHECK_STR(diag.text, "");
    CHECK_EQ(prof_profile_sample_count(p), (1 << 20) / 64 - 1);
    prof_profile_destroy(p);
    prof_buffer_fini(&b);
}

/* ---- damage ---- */

static unsigned char *fixture_recording(size_t *bytes)
{
    struct prof_profile *p = fixture_everything();
    struct prof_recording *recording;
    CHECK_OK(
        prof_recording_create(fixture_path("whole.data"), &recording, NULL));
    CHECK_OK(prof_recording_finish(recording, p, NULL));
    prof_recording_destroy(recording);
    prof_profile_destroy(p);
    return fixture_read(fixture_path("whole.data"), bytes);
}

static enum status read_damaged(
    const unsigned char *data, size_t bytes, uint32_t *samples,
    struct diag *diag)
{
    struct prof_profile *p = prof_profile_create();
    fixture_write(fixture_path("damaged.data"), data, bytes);
    enum status status =
        prof_recording_read(fixture_path("damaged.data"), p, diag);
    *samples = prof_profile_sample_count(p);
    prof_profile_destroy(p);
    return status;
}

TEST(a_recording_truncated_anywhere_gives_what_is_left_and_says_so)
{
    size_t bytes;
    unsigned char *data = fixture_recording(&bytes);
    uint32_t samples, before = 0;
    for (size_t left = 64; left < bytes; left += 64) {
        struct diag diag;
        enum status status = read_damaged(data, left, &samples, &diag);
        CHECK(diag.text[0] != '\0');
        if (left < 240) {
            CHECK_EQ(status, STATUS_MALFORMED);
            continue;
        }
        CHECK_OK(status);
        CHECK(samples >= before);
        before = samples;
    }
    CHECK_EQ(before, 70);
    free(data);
}

/* perf counts its records when it is done, and not when it is killed. */
TEST(a_recording_that_counts_no_records_is_read_to_its_end)
{
    size_t bytes;
    unsigned char *data = fixture_recording(&bytes);
    uint64_t data_bytes;
    memcpy(&data_bytes, data + 48, sizeof data_bytes);
    memset(data + 48, 0, 8);
    memset(data + 72, 0, 32); /* the bits of features */
    struct diag diag;
    uint32_t samples;
    CHECK_OK(read_damaged(data, 240 + data_bytes, &samples, &diag));
    CHECK_EQ(samples, 70);
    CHECK(strstr(diag.text, "is truncated") != NULL);
    free(data);
}

TEST(a_damaged_byte_never_harms_the_reader)
{
    size_t bytes;
    unsigned char *data = fixture_recording(&bytes);
    uint32_t samples;
    for (size_t at = 8; at < bytes; at += at < 240 ? 1 : 5) {
        static const unsigned char flips[] = {0xff, 0x80, 0x01};
        unsigned char good = data[at];
        data[at] ^= flips[at % 3];
        struct diag diag;
        enum status status = read_damaged(data, bytes, &samples, &diag);
        CHECK(
            status == STATUS_OK || status == STATUS_MALFORMED ||
            status == STATUS_LIMIT || status == STATUS_NO_MEMORY);
        data[at] = good;
    }
    free(data);
}

/* Without its annex, so that the records themselves are read. */
TEST(a_damaged_record_never_harms_the_reader)
{
    size_t bytes;
    unsigned char *data = fixture_recording(&bytes);
    memset(data + 72, 0, 32); /* the header's bits of features */
    uint64_t data_bytes;
    memcpy(&data_bytes, data + 48, sizeof data_bytes);
    uint32_t samples;
    for (size_t at = 240; at < 240 + data_bytes; at += 3) {
        static const unsigned char flips[] = {0xff, 0x80, 0x01, 0x08};
        unsigned char good = data[at];
        data[at] ^= flips[at % 4];
        struct diag diag;
        enum status status =
            read_damaged(data, 240 + data_bytes, &samples, &diag);
        CHECK(status == STATUS_OK || status == STATUS_MALFORMED);
        data[at] = good;
    }
    free(data);
}
