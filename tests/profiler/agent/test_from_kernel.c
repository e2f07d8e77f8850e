/* Who is on the way out of the kernel, told by real signals. */
#include "tests/harness.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "profiler/agent/sig_from_kernel_x86_64.h"

static sigjmp_buf back;
static volatile sig_atomic_t is_from_kernel;

static void look(int signal, siginfo_t *info, void *context)
{
    (void)info;
    is_from_kernel = prof_is_from_kernel(context);
    if (signal == SIGSEGV)
        siglongjmp(back, 1);
}

static void look_at(int signal)
{
    struct sigaction action = {.sa_sigaction = look, .sa_flags = SA_SIGINFO};
    is_from_kernel = -1;
    CHECK_EQ(sigaction(signal, &action, NULL), 0);
}

TEST(from_kernel_is_who_has_made_a_system_call)
{
    look_at(SIGUSR1);
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(is_from_kernel, 1);
}

TEST(from_kernel_is_who_had_a_fault)
{
    look_at(SIGSEGV);
    volatile char *page =
        mmap(NULL, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
    if (sigsetjmp(back, 1) == 0)
        *page = 1;
    CHECK_EQ(is_from_kernel, 1);
    (void)munmap((void *)page, 1);
    (void)signal(SIGSEGV, SIG_DFL);
}

/* Stopped as by an interrupt: after an instruction, not in the middle of it. */
TEST(from_kernel_is_not_who_was_stopped_at_any_other_instruction)
{
    look_at(SIGTRAP);
    __asm__ volatile("xor %%ecx, %%ecx\n\tint3" ::: "ecx", "cc", "memory");
    CHECK_EQ(is_from_kernel, 0);
    (void)signal(SIGTRAP, SIG_DFL);
}
