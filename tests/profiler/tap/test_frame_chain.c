/* Chains of frame pointers: our own memory is a thread's that is held. */
#include "profiler/tap/frame_chain.h"

#include <unistd.h>

#include <linux/perf_event.h>

#include "tests/harness.h"

TEST(the_users_part_of_a_chain_comes_after_its_mark)
{
    const uint64_t words[] = {
        (uint64_t)PERF_CONTEXT_KERNEL, 0xffffffff81000000,
        (uint64_t)PERF_CONTEXT_USER, 0x401000, 0x402000};
    struct prof_frame_chain chain = prof_frame_chain_of_user(words, 5);
    CHECK_EQ(chain.count, 2);
    CHECK_EQ(chain.words[0], 0x401000);
    CHECK_EQ(chain.words[1], 0x402000);
    CHECK_EQ(prof_frame_chain_of_user(words, 2).count, 0);
    CHECK_EQ(prof_frame_chain_of_user(NULL, 0).count, 0);
}

TEST(a_chain_is_followed_to_its_zero)
{
    uint64_t frames[3][2] = {{0, 0x401001}, {0, 0x401002}, {0, 0x401003}};
    uint64_t words[PROF_FRAME_CHAIN_MOST];
    struct prof_regs regs = {.known = 0};
    /* From one stack to another, and back. */
    frames[1][0] = (uintptr_t)frames[0];
    frames[0][0] = (uintptr_t)frames[2];
    prof_regs_set(&regs, PROF_REG_PC, 0x401000);
    prof_regs_set(&regs, PROF_REG_FP, (uintptr_t)frames[1]);
    CHECK_EQ(prof_frame_chain_read(getpid(), &regs, words), 4);
    CHECK_EQ(words[0], 0x401000);
    CHECK_EQ(words[1], 0x401002);
    CHECK_EQ(words[2], 0x401001);
    CHECK_EQ(words[3], 0x401003);
}

TEST(a_chain_in_a_circle_or_to_nowhere_has_an_end)
{
    uint64_t frame[2] = {0, 0x401001}, words[PROF_FRAME_CHAIN_MOST];
    struct prof_regs regs = {.known = 0};
    frame[0] = (uintptr_t)frame;
    prof_regs_set(&regs, PROF_REG_PC, 0x401000);
    prof_regs_set(&regs, PROF_REG_FP, (uintptr_t)frame);
    CHECK_EQ(
        prof_frame_chain_read(getpid(), &regs, words), PROF_FRAME_CHAIN_MOST);
    frame[0] = 0x10;
    CHECK_EQ(prof_frame_chain_read(getpid(), &regs, words), 2);
}
