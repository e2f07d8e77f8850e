/* Records of the kernel's. */
#include "tests/harness.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include "profiler/attach/perf_regs.h"
#include "profiler/tap/record.h"

/* A record in the making: words behind a header. */
struct made {
    struct perf_event_header header;
    uint64_t words[256];
    unsigned count;
};

static void put(struct made *made, uint64_t word)
{
    made->words[made->count++] = word;
}

static void put_pair(struct made *made, uint32_t first, uint32_t second)
{
    put(made, first | (uint64_t)second << 32);
}

static struct prof_tap_record parse(
    struct made *made, uint32_t type, uint16_t misc)
{
    struct prof_tap_record record;
    made->header = (struct perf_event_header){
        .type = type,
        .misc = misc,
        .size = (uint16_t)(sizeof made->header + made->count * 8)};
    CHECK(prof_tap_record_parse(&made->header, &record));
    CHECK_EQ(record.type, type);
    return record;
}

static void put_trailer(struct made *made)
{
    put_pair(made, 1, 1);
    put(made, 777); /* the time */
    put(made, 5);   /* the id */
}

static void put_sample_head(struct made *made)
{
    put(made, 9);        /* the id */
    put(made, 0x400123); /* the pc */
    put_pair(made, 10, 11);
    put(made, 1234); /* the time */
}

TEST(a_sample_has_its_chain_registers_and_stack)
{
    struct made made = {0};
    put_sample_head(&made);
    put(&made, 2);
    put(&made, (uint64_t)PERF_CONTEXT_KERNEL);
    put(&made, 0xffffffff81000000);
    put(&made, PERF_SAMPLE_REGS_ABI_64);
    for (unsigned i = 0; i < prof_perf_regs_count; i++)
        put(&made, 100 + i);
    put(&made, 16);
    put(&made, 0xaaaa);
    put(&made, 0xbbbb);
    put(&made, 8); /* so much of it was there */
    struct prof_tap_record record = parse(&made, PERF_RECORD_SAMPLE, 0);
    CHECK_EQ(record.event, 9);
    CHECK_EQ(record.pid, 10);
    CHECK_EQ(record.tid, 11);
    CHECK_EQ(record.time_ns, 1234);
    CHECK_EQ(record.chain_count, 2);
    CHECK_EQ(record.chain[1], 0xffffffff81000000);
    CHECK_EQ(record.regs[0], 100);
    CHECK_EQ(record.stack_bytes, 8);
    uint64_t word;
    memcpy(&word, record.stack, sizeof word);
    CHECK_EQ(word, 0xaaaa);
}

TEST(a_sample_of_a_kernel_thread_has_no_registers)
{
    struct made made = {0};
    put_sample_head(&made);
    put(&made, 0); /* no chain */
    put(&made, PERF_SAMPLE_REGS_ABI_NONE);
    put(&made, 0);
    struct prof_tap_record record = parse(&made, PERF_RECORD_SAMPLE, 0);
    CHECK(record.regs == NULL);
    CHECK_EQ(record.stack_bytes, 0);
}

TEST(registers_of_a_32_bit_program_are_passed_over)
{
    struct made made = {0};
    put_sample_head(&made);
    put(&made, 0); /* no chain */
    put(&made, PERF_SAMPLE_REGS_ABI_32);
    for (unsigned i = 0; i < prof_perf_regs_count; i++)
        put(&made, 0);
    put(&made, 8);
    put(&made, 0xcccc);
    put(&made, 8);
    struct prof_tap_record record = parse(&made, PERF_RECORD_SAMPLE, 0);
    CHECK(record.regs == NULL);
    CHECK_EQ(record.stack_bytes, 8);
}

TEST(a_mapping_names_its_file)
{
    struct made made = {0};
    put_pair(&made, 10, 11);
    put(&made, 0x10000);
    put(&made, 0x2000);
    put(&made, 0x1000);
    put_pair(&made, 8, 1);
    put(&made, 4242);
    put(&made, 0);
    put_pair(&made, PROT_READ | PROT_EXEC, MAP_PRIVATE);
    memcpy(&made.words[made.count], "/bin/x\0", 8);
    made.count++;
    put_trailer(&made);
    struct prof_tap_record record = parse(&made, PERF_RECORD_MMAP2, 0);
    CHECK_EQ(record.start, 0x10000);
    CHECK_EQ(record.end, 0x12000);
    CHECK_EQ(record.offset, 0x1000);
    CHECK_EQ(record.device, makedev(8, 1));
    CHECK_EQ(record.inode, 4242);
    CHECK(record.is_code);
    CHECK_STR(record.name, "/bin/x");
    CHECK_EQ(record.time_ns, 777);
}

TEST(an_exec_is_told_from_a_new_name)
{
    for (int is_exec = 0; is_exec < 2; is_exec++) {
        struct made made = {0};
        put_pair(&made, 10, 11);
        memcpy(&made.words[made.count], "name\0\0\0\0", 8);
        made.count++;
        put_trailer(&made);
        struct prof_tap_record record = parse(
            &made, PERF_RECORD_COMM, is_exec ? PERF_RECORD_MISC_COMM_EXEC : 0);
        CHECK_STR(record.name, "name");
        CHECK_EQ(record.is_exec, is_exec);
    }
}

TEST(a_fork_tells_child_and_parent_apart)
{
    struct made made = {0};
    put_pair(&made, 20, 10);
    put_pair(&made, 21, 11);
    put(&made, 555);
    put_trailer(&made);
    struct prof_tap_record record = parse(&made, PERF_RECORD_FORK, 0);
    CHECK_EQ(record.pid, 20);
    CHECK_EQ(record.tid, 21);
    CHECK_EQ(record.parent_pid, 10);
    CHECK_EQ(record.parent, 11);
}

TEST(losses_are_counted_and_what_means_nothing_is_not_taken)
{
    struct made made = {0};
    put(&made, 1);
    put(&made, 17);
    put_trailer(&made);
    CHECK_EQ(parse(&made, PERF_RECORD_LOST, 0).lost, 17);
    struct prof_tap_record record;
    made.header.type = PERF_RECORD_THROTTLE;
    CHECK(!prof_tap_record_parse(&made.header, &record));
}

TEST(a_record_that_is_shorter_than_it_says_tells_nothing)
{
    struct made made = {0};
    struct prof_tap_record record;
    put_sample_head(&made);
    put(&made, 2);
    put(&made, (uint64_t)PERF_CONTEXT_KERNEL);
    put(&made, 0xffffffff81000000);
    put(&made, PERF_SAMPLE_REGS_ABI_64);
    for (unsigned i = 0; i < prof_perf_regs_count; i++)
        put(&made, 100 + i);
    put(&made, 16);
    put(&made, 0xaaaa);
    put(&made, 0xbbbb);
    put(&made, 8);
    (void)parse(&made, PERF_RECORD_SAMPLE, 0);
    uint16_t whole = made.header.size;
    for (uint16_t size = 0; size < whole; size = (uint16_t)(size + 8)) {
        made.header.size = size;
        CHECK(!prof_tap_record_parse(&made.header, &record));
    }
    made.header.size = whole;
    made.words[4] = UINT64_MAX / 4; /* of the chain */
    CHECK(!prof_tap_record_parse(&made.header, &record));
}

TEST(no_more_of_a_stack_was_copied_than_there_was_room_for)
{
    struct made made = {0};
    put_sample_head(&made);
    put(&made, 0); /* no chain */
    put(&made, PERF_SAMPLE_REGS_ABI_NONE);
    put(&made, 8);
    put(&made, 0xaaaa);
    put(&made, 4096);
    CHECK_EQ(parse(&made, PERF_RECORD_SAMPLE, 0).stack_bytes, 8);
}

TEST(a_name_without_an_end_tells_nothing)
{
    struct made made = {0};
    struct prof_tap_record record;
    put_pair(&made, 10, 11);
    memcpy(&made.words[made.count], "name1234", 8);
    made.count++;
    put_trailer(&made);
    made.header = (struct perf_event_header){
        .type = PERF_RECORD_COMM,
        .size = (uint16_t)(sizeof made.header + made.count * 8)};
    CHECK(!prof_tap_record_parse(&made.header, &record));
}
