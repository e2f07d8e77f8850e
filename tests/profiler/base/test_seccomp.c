/* Seccomp filters, run as the kernel would. */
#include "profiler/base/seccomp.h"

#include <linux/filter.h>
#include <stddef.h>

#include "tests/harness.h"

#define LOAD(offset)   BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)
#define ANSWER(action) BPF_STMT(BPF_RET | BPF_K, action)
#define LENGTH(code)   ((uint32_t)(sizeof(code) / sizeof(code)[0]))

/* Number 7 asks for its first argument, 8 for the caller's place. */
static const struct sock_filter asking[] = {
    LOAD(offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 7, 2, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 8, 4, 0),
    ANSWER(SECCOMP_RET_ALLOW),
    LOAD(offsetof(struct seccomp_data, args)),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x10, 0, 1),
    ANSWER(SECCOMP_RET_ERRNO | 1),
    LOAD(offsetof(struct seccomp_data, instruction_pointer)),
    ANSWER(SECCOMP_RET_LOG),
};

static uint32_t ask(int number, uint32_t known, uint64_t argument)
{
    struct seccomp_call call = {
        .data = {.nr = number, .args = {argument}}, .known = known};
    return seccomp_verdict(asking, LENGTH(asking), &call);
}

TEST(seccomp_answers_by_number_and_known_arguments)
{
    CHECK_EQ(ask(1, 0, 0), SECCOMP_RET_ALLOW);
    CHECK_EQ(ask(7, SECCOMP_KNOWS_ARGUMENT(0), 0x10), SECCOMP_RET_ERRNO);
    CHECK_EQ(
        ask(7, SECCOMP_KNOWS_ARGUMENT(0) | SECCOMP_KNOWS_PLACE, 0x20),
        SECCOMP_RET_LOG);
}

TEST(seccomp_takes_the_worst_for_what_is_not_known)
{
    CHECK_EQ(ask(7, 0, 0x20), SECCOMP_RET_KILL_PROCESS);
    CHECK_EQ(ask(7, SECCOMP_KNOWS_ARGUMENT(1), 0x20), SECCOMP_RET_KILL_PROCESS);
    CHECK_EQ(ask(8, 0, 0), SECCOMP_RET_KILL_PROCESS);
    CHECK_EQ(ask(8, SECCOMP_KNOWS_PLACE, 0), SECCOMP_RET_LOG);
}

TEST(seccomp_passes_what_is_allowed_or_logged_and_nothing_else)
{
    static const struct {
        uint32_t answer;
        bool passes;
    } cases[] = {
        {SECCOMP_RET_ALLOW, true},        {SECCOMP_RET_LOG, true},
        {SECCOMP_RET_ERRNO | 38, false},  {SECCOMP_RET_TRACE, false},
        {SECCOMP_RET_USER_NOTIF, false},  {SECCOMP_RET_TRAP, false},
        {SECCOMP_RET_KILL_THREAD, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sock_filter code[] = {ANSWER(cases[i].answer)};
        struct seccomp_call call = {.data = {.nr = 1}};
        CHECK_EQ(seccomp_passes(code, 1, &call), cases[i].passes);
    }
}

TEST(seccomp_ends_a_program_that_leads_nowhere)
{
    struct sock_filter jump[] = {
        BPF_STMT(BPF_JMP | BPF_JA, UINT32_MAX), ANSWER(SECCOMP_RET_ALLOW)};
    struct sock_filter odd[] = {LOAD(2), ANSWER(SECCOMP_RET_ALLOW)};
    struct seccomp_call call = {.data = {.nr = 1}, .known = ~0u};
    CHECK_EQ(seccomp_verdict(jump, 2, &call), SECCOMP_RET_KILL_PROCESS);
    CHECK_EQ(seccomp_verdict(odd, 2, &call), SECCOMP_RET_KILL_PROCESS);
}
