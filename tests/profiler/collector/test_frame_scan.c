/* Frames told from code: beside the rules that the same code has. */
#include "profiler/collector/frame_scan.h"

#include <dlfcn.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "profiler/collector/code.h"
#include "profiler/collector/insn.h"
#include "profiler/unwind/sig_lookup.h"
#include "profiler/unwind/sig_row.h"
#include "tests/harness.h"

/* This process's own memory. */
static struct prof_reader own_memory(void)
{
    struct prof_reader reader = {.refill = NULL};
    prof_reader_set_window(&reader, 1, UINT64_MAX - 8, 1);
    return reader;
}

static struct prof_reader bytes_at(const uint8_t *bytes, size_t count)
{
    struct prof_reader reader = {.refill = NULL};
    prof_reader_set_window(&reader, 0x1000, 0x1000 + count, (uintptr_t)bytes);
    return reader;
}

struct sums {
    unsigned same, others;
};

static bool is_same(uint32_t row, const struct prof_scanned_frame *frame)
{
    return frame->is_from_fp == (prof_row_kind(row) == PROF_ROW_FP) &&
           (uint64_t)frame->cfa_bytes == prof_row_cfa_bytes(row);
}

/* At each instruction of the function. */
static void compare(
    struct prof_code *code, uint64_t function, struct sums *sums)
{
    struct prof_reader memory = own_memory();
    struct prof_insn insn;
    for (uint64_t pc = function;
         prof_code_function(&code->modules, pc) == function;
         pc += insn.length) {
        struct prof_scanned_frame frame;
        uint32_t row = prof_lookup_row(&code->modules, &code->cache, pc + 1);
        if (prof_row_kind(row) == PROF_ROW_SP) {
            bool is_told = prof_frame_scan(&memory, function, pc, &frame);
            if (is_told && is_same(row, &frame))
                sums->same++;
            else
                sums->others++;
        }
        CHECK(prof_insn_decode(
            (const uint8_t *)(uintptr_t)pc, PROF_INSN_BYTES_MAX, pc, &insn));
    }
}

TEST(frame_scan_agrees_with_rules_at_nearly_every_instruction)
{
    static const char *const names[] = {
        "qsort",  "getaddrinfo", "regcomp", "glob",    "realpath",
        "mktime", "inet_ntop",   "getpass", "regexec", "gethostbyname"};
    /* libc's own: sanitizers put theirs before them. */
    void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
    CHECK(libc != NULL);
    struct prof_image_cache images;
    struct sums sums = {0};
    prof_image_cache_init(&images);
    struct prof_code *code = prof_code_create((uint32_t)getpid(), &images);
    CHECK(code != NULL && prof_code_read_maps(code));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        compare(code, (uintptr_t)dlsym(libc, names[i]), &sums);
    (void)dlclose(libc);
    CHECK(sums.same > 1000);
    CHECK(sums.others < sums.same / 50);
    prof_code_destroy(code);
    prof_image_cache_fini(&images);
}

TEST(frame_scan_follows_jumps_over_a_return)
{
    static const uint8_t bytes[] = {0x53,                   /* push %rbx */
                                    0x48, 0x83, 0xec, 0x20, /* sub $32,%rsp */
                                    0x75, 0x06,             /* jne +6 */
                                    0x48, 0x83, 0xc4, 0x20, /* add $32,%rsp */
                                    0x5b,                   /* pop %rbx */
                                    0xc3,                   /* ret */
                                    0x90, 0x90, 0,    0,    0, 0, 0, 0,
                                    0,    0,    0,    0,    0, 0, 0, 0};
    struct prof_reader code = bytes_at(bytes, sizeof bytes);
    struct prof_scanned_frame frame;
    CHECK(prof_frame_scan(&code, 0x1000, 0x1000, &frame));
    CHECK_EQ(frame.cfa_bytes, 8);
    CHECK(prof_frame_scan(&code, 0x1000, 0x1005, &frame));
    CHECK_EQ(frame.cfa_bytes, 48);
    CHECK(prof_frame_scan(&code, 0x1000, 0x100c, &frame));
    CHECK_EQ(frame.cfa_bytes, 8);
    CHECK(prof_frame_scan(&code, 0x1000, 0x100d, &frame));
    CHECK_EQ(frame.cfa_bytes, 48);
}

TEST(frame_scan_counts_from_the_frame_pointer_where_the_stack_is_realigned)
{
    static const uint8_t bytes[] = {0x55,                   /* push %rbp */
                                    0x48, 0x89, 0xe5,       /* mov %rsp,%rbp */
                                    0x48, 0x83, 0xe4, 0xe0, /* and $-32,%rsp */
                                    0x90, 0xc9,             /* nop; leave */
                                    0xc3, 0,    0,    0,    0, 0, 0, 0,
                                    0,    0,    0,    0,    0, 0, 0, 0};
    struct prof_reader code = bytes_at(bytes, sizeof bytes);
    struct prof_scanned_frame frame;
    CHECK(prof_frame_scan(&code, 0x1000, 0x1008, &frame));
    CHECK(frame.is_from_fp);
    CHECK_EQ(frame.cfa_bytes, 16);
    CHECK_EQ(frame.saved_fp, 16);
    CHECK(prof_frame_scan(&code, 0x1000, 0x100a, &frame));
    CHECK(!frame.is_from_fp);
    CHECK_EQ(frame.cfa_bytes, 8);
    CHECK_EQ(frame.saved_fp, 0);
}

/* Go 1.19's runtime.mcall, from the switch on, and one that comes back. */
TEST(frame_scan_knows_a_function_that_left_its_stack_for_good)
{
    static const uint8_t mcall[] = {
        0x49, 0x89, 0xc5,             /* mov %rax,%r13 */
        0x49, 0x8b, 0x66, 0x38,       /* mov 0x38(%r14),%rsp */
        0x50,                         /* push %rax */
        0x41, 0xff, 0xd4,             /* call *%r12 */
        0x58,                         /* pop %rax */
        0xe9, 0,    0,    0x10, 0,    /* jmp badmcall2 */
        0xc3, 0,    0,    0,    0, 0, /* ret */
        0,    0,    0,    0,    0, 0, 0, 0};
    static const uint8_t comes_back[] = {
        0x48, 0x8b, 0x62, 0x38,       /* mov 0x38(%rdx),%rsp */
        0xff, 0xd7,                   /* call *%rdi */
        0x48, 0x8b, 0x60, 0x38,       /* mov 0x38(%rax),%rsp */
        0xc3, 0,    0,    0,    0, 0, /* ret */
        0,    0,    0,    0,    0, 0, 0, 0, 0, 0};
    struct prof_reader code = bytes_at(mcall, sizeof mcall);
    CHECK(!prof_scan_left_stack(&code, 0x1000, 0x1000));
    CHECK(!prof_scan_left_stack(&code, 0x1000, 0x1003));
    CHECK(prof_scan_left_stack(&code, 0x1000, 0x1007));
    CHECK(prof_scan_left_stack(&code, 0x1000, 0x1008));
    CHECK(prof_scan_left_stack(&code, 0x1000, 0x100b));
    code = bytes_at(comes_back, sizeof comes_back);
    CHECK(!prof_scan_left_stack(&code, 0x1000, 0x1004));
    CHECK(!prof_scan_left_stack(&code, 0x1000, 0x1006));
    CHECK(!prof_scan_left_stack(&code, 0x1000, 0x100a));
}

TEST(frame_scan_refuses_what_is_no_code)
{
    static const uint8_t bytes[32] = {0x90, 0x06, 0x90};
    struct prof_reader code = bytes_at(bytes, sizeof bytes);
    struct prof_scanned_frame frame;
    CHECK(!prof_frame_scan(&code, 0x1000, 0x1002, &frame));
    CHECK(!prof_frame_scan(&code, 0x1000, 0x5000, &frame));
    CHECK(!prof_frame_scan(&code, 0x1010, 0x1000, &frame));
}

TEST(frame_scan_sees_what_ends_a_thread)
{
    /* musl's __clone; and a call of something else before a return. */
    static const uint8_t ends[] = {
        0x89, 0xc7, 0x31, 0xc0, 0xb0, 0x3c, 0x0f, 0x05, 0xf4, 0, 0, 0,
        0,    0,    0,    0,    0,    0,    0,    0,    0,    0, 0, 0};
    static const uint8_t returns[] = {
        0x89, 0xc7, 0xb0, 0x3c, 0xc3, 0x0f, 0x05, 0, 0, 0, 0, 0,
        0,    0,    0,    0,    0,    0,    0,    0, 0, 0, 0, 0};
    static const uint8_t writes[] = {0xb8, 0x01, 0, 0, 0, 0x0f, 0x05, 0,
                                     0,    0,    0, 0, 0, 0,    0,    0,
                                     0,    0,    0, 0, 0, 0,    0,    0};
    struct prof_reader code = bytes_at(ends, sizeof ends);
    CHECK(prof_scan_ends_thread(&code, 0x1000));
    code = bytes_at(returns, sizeof returns);
    CHECK(!prof_scan_ends_thread(&code, 0x1000));
    code = bytes_at(writes, sizeof writes);
    CHECK(!prof_scan_ends_thread(&code, 0x1000));
}

TEST(insn_bytes_of_any_kind_are_read_within_their_bounds)
{
    uint8_t bytes[PROF_INSN_BYTES_MAX];
    struct prof_insn insn;
    uint64_t random = 1;
    for (int i = 0; i < 200000; i++) {
        for (size_t j = 0; j < sizeof bytes; j++) {
            random = random * UINT64_C(6364136223846793005) + 1;
            bytes[j] = (uint8_t)(random >> 56);
        }
        size_t room = (size_t)i % sizeof bytes;
        if (prof_insn_decode(bytes, room, 0, &insn))
            CHECK(insn.length > 0 && insn.length <= room);
    }
}
