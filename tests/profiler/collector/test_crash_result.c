/* What simple functions return, by their instructions alone. */
#include "tests/harness.h"

#include <string.h>

#include "profiler/collector/crash_words.h"

#define CODE_PC   UINT64_C(0x1000)
#define OBJECT_PC UINT64_C(0x1100)

/* Memory at CODE_PC: code, and an object with a pointer at its second word. */
static uint64_t result_of(const uint8_t *code, size_t bytes)
{
    static uint64_t memory[64];
    struct prof_reader reader = {.refill = NULL};
    memset(memory, 0xcc, sizeof memory);
    memcpy(memory, code, bytes);
    memory[(OBJECT_PC - CODE_PC) / 8 + 1] = 0x7777;
    prof_reader_set_window(
        &reader, CODE_PC, CODE_PC + sizeof memory, (uint64_t)(uintptr_t)memory);
    return prof_crash_simple_result(&reader, CODE_PC, OBJECT_PC);
}

#define RESULT(...)                                                            \
    result_of(                                                                 \
        (const uint8_t[]){__VA_ARGS__},                                        \
        sizeof((const uint8_t[]){__VA_ARGS__}))

TEST(crash_result_is_a_constant)
{
    /* lea 0x20(%rip), %rax; ret */
    CHECK_EQ(RESULT(0x48, 0x8d, 0x05, 0x20, 0, 0, 0, 0xc3), CODE_PC + 0x27);
    /* endbr64; mov $0x402010, %eax; ret */
    CHECK_EQ(
        RESULT(0xf3, 0x0f, 0x1e, 0xfa, 0xb8, 0x10, 0x20, 0x40, 0, 0xc3),
        0x402010);
}

TEST(crash_result_is_a_member_or_its_address)
{
    /* mov 8(%rdi), %rax; ret */
    CHECK_EQ(RESULT(0x48, 0x8b, 0x47, 0x08, 0xc3), 0x7777);
    /* lea 8(%rdi), %rax; ret */
    CHECK_EQ(RESULT(0x48, 0x8d, 0x47, 0x08, 0xc3), OBJECT_PC + 8);
}

TEST(crash_result_is_found_in_code_that_is_not_optimised)
{
    /* push %rbp; mov %rsp, %rbp; mov %rdi, -8(%rbp); mov -8(%rbp), %rax;
       mov 8(%rax), %rax; pop %rbp; ret */
    CHECK_EQ(
        RESULT(
            0x55, 0x48, 0x89, 0xe5, 0x48, 0x89, 0x7d, 0xf8, 0x48, 0x8b, 0x45,
            0xf8, 0x48, 0x8b, 0x40, 0x08, 0x5d, 0xc3),
        0x7777);
}

TEST(crash_result_of_what_does_more_is_not_known)
{
    /* call +0; ret */
    CHECK_EQ(RESULT(0xe8, 0, 0, 0, 0, 0xc3), 0);
    /* mov 0x7f(%rdi), %rax leads out of the memory there is twice */
    CHECK_EQ(RESULT(0x48, 0x8b, 0x87, 0, 0, 0, 0x7f, 0xc3), 0);
    /* No end: a hundred pushes. */
    uint8_t pushes[100];
    memset(pushes, 0x55, sizeof pushes);
    CHECK_EQ(result_of(pushes, sizeof pushes), 0);
}
