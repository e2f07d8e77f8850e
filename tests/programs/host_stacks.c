/* Stacks of every kind: alternate, of fibers, small, smashed: host_stacks CASE.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "tests/programs/host_case.h"

/* ---- alternate stacks ---- */

static volatile sig_atomic_t handled;
static volatile uint64_t handler_burns_ns;

static void burn_in_handler(int number)
{
    (void)number;
    burn_ns(handler_burns_ns);
    handled++;
}

enum { GUARD_BYTES = 65536, PATTERN = 0xCC };

/* Memory that nobody is to touch but where the stack is. */
struct guarded {
    unsigned char *memory, *bottom;
    size_t bytes;
};

static struct guarded make_guarded(size_t bytes)
{
    struct guarded stack = {.bytes = bytes};
    stack.memory = mmap(
        NULL, 3 * GUARD_BYTES, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack.memory == MAP_FAILED)
        exit(1);
    memset(stack.memory, PATTERN, 3 * GUARD_BYTES);
    stack.bottom = stack.memory + GUARD_BYTES;
    return stack;
}

static int is_untouched(const unsigned char *from, const unsigned char *to)
{
    while (from < to && *from == PATTERN)
        from++;
    return from == to;
}

static void use_alternate_stack(size_t bytes, int turns)
{
    struct guarded guarded = make_guarded(bytes);
    stack_t stack = {.ss_sp = guarded.bottom, .ss_size = bytes};
    stack_t now;
    printf("set %d\n", sigaltstack(&stack, NULL));
    handled = 0;
    for (int turn = 0; turn < turns; turn++)
        raise(SIGUSR1);
    burn_ns(BRIEFLY / 4);
    sigaltstack(NULL, &now);
    printf(
        "%d handled, same %d %d %x\n", (int)handled, now.ss_sp == stack.ss_sp,
        now.ss_size == stack.ss_size, now.ss_flags);
    printf(
        "untouched below %d, above %d\n",
        is_untouched(guarded.memory, guarded.bottom),
        is_untouched(guarded.bottom + bytes, guarded.memory + 3 * GUARD_BYTES));
    stack.ss_flags = SS_DISABLE;
    sigaltstack(&stack, NULL);
    munmap(guarded.memory, 3 * GUARD_BYTES);
}

static void handle_on_alternate_stack(void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler};
    action.sa_flags = SA_ONSTACK | flags;
    sigaction(SIGUSR1, &action, NULL);
}

/* Down to where a handler and a sample in it cannot both have room. */
static void alternate_stacks(void)
{
    handler_burns_ns = NS_PER_MS;
    handle_on_alternate_stack(burn_in_handler, 0);
    const size_t smallest = (size_t)sysconf(_SC_MINSIGSTKSZ);
    const size_t sizes[] = {
        12 * 1024, 8 * 1024, 6 * 1024, 4 * 1024, smallest + 1024};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        use_alternate_stack(sizes[i], 30);
}

/* Threads may be sampled whose handlers could hardly run. */
static void smallest_alternate_stacks(void)
{
    handler_burns_ns = 0;
    use_alternate_stack((size_t)sysconf(_SC_MINSIGSTKSZ), 0);
    use_alternate_stack(2048 > sysconf(_SC_MINSIGSTKSZ) ? 2048 : 4096, 0);
}

static void mask_in_handler(int number)
{
    sigset_t mask;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    printf(
        "%d: %d %d %d\n", number, sigismember(&mask, SIGPROF),
        sigismember(&mask, SIGTRAP), sigismember(&mask, SIGUSR1));
}

static void exec_in_handler(int number)
{
    (void)number;
    execl(
        "/bin/sh", "sh", "-c", "grep -E 'Sig(Blk|Ign)' /proc/self/status",
        (char *)NULL);
}

/* What a handler on a small stack sees of itself is what was asked for. */
static void handlers_see_their_own(void)
{
    struct guarded guarded = make_guarded(8192);
    stack_t stack = {.ss_sp = guarded.bottom, .ss_size = 8192};
    struct sigaction now, old;
    burn_ns(BRIEFLY / 4);
    handle_on_alternate_stack(mask_in_handler, 0);
    sigaltstack(&stack, NULL);
    raise(SIGUSR1);
    sigaction(SIGUSR1, NULL, &now);
    printf(
        "%d %d %x\n", sigismember(&now.sa_mask, SIGPROF),
        sigismember(&now.sa_mask, SIGTRAP), now.sa_flags);
    sigaction(SIGUSR1, &now, NULL);
    sigaddset(&now.sa_mask, SIGPROF);
    sigaction(SIGUSR1, &now, &old);
    printf("%d\n", sigismember(&old.sa_mask, SIGPROF));
    sigaction(SIGUSR1, NULL, &now);
    printf("%d\n", sigismember(&now.sa_mask, SIGPROF));
    raise(SIGUSR1);
    handle_on_alternate_stack(exec_in_handler, 0);
    raise(SIGUSR1);
}

static sigjmp_buf out;

static void jump_from_handler(int number)
{
    burn_ns(NS_PER_MS);
    siglongjmp(out, number);
}

static void jumps_from_alternate_stacks(void)
{
    struct guarded guarded = make_guarded(4096 + 2048);
    stack_t stack = {.ss_sp = guarded.bottom, .ss_size = guarded.bytes};
    volatile int jumps = 0;
    handle_on_alternate_stack(jump_from_handler, 0);
    sigaltstack(&stack, NULL);
    while (jumps < 30) {
        if (sigsetjmp(out, 1) == 0)
            raise(SIGUSR1);
        else
            jumps = jumps + 1;
        (void)stir(1);
    }
    printf("%d jumps\n", jumps);
}

/* It unmaps what it has registered. Nothing of its own comes there any more. */
static void freed_alternate_stack(void)
{
    for (int is_used = 0; is_used < 2; is_used++) {
        struct guarded guarded = make_guarded(GUARD_BYTES);
        stack_t stack = {.ss_sp = guarded.bottom, .ss_size = guarded.bytes};
        sigaltstack(&stack, NULL);
        if (is_used) {
            handle_on_alternate_stack(burn_in_handler, 0);
            raise(SIGUSR1);
        }
        munmap(guarded.memory, 3 * GUARD_BYTES);
        burn_ns(BRIEFLY);
        stack_t now;
        sigaltstack(NULL, &now);
        printf("%d handled, same %d\n", (int)handled, now.ss_sp == stack.ss_sp);
    }
}

/* ---- fibers ---- */

enum { FIBER_BYTES = 8 * 1024, FIBERS = 8, TURNS = 10 };

static ucontext_t scheduler, fibers[FIBERS];
static _Alignas(16) char fiber_stacks[FIBERS][FIBER_BYTES];

static void fiber(int self)
{
    for (;;) {
        burn_ns(NS_PER_MS);
        swapcontext(&fibers[self], &scheduler);
    }
}

/* Handlers run in the midst of fibers, some go on in another one. */
static void switch_in_handler(int number)
{
    static ucontext_t interrupted;
    handled = handled + number / number;
    if (handled % 2)
        swapcontext(&interrupted, &scheduler);
}

static void fiber_that_raises(int self)
{
    for (;;) {
        burn_ns(NS_PER_MS / 2);
        raise(SIGUSR1);
        swapcontext(&fibers[self], &scheduler);
    }
}

static void run_fibers(void (*body)(int))
{
    for (int i = 0; i < FIBERS; i++) {
        getcontext(&fibers[i]);
        fibers[i].uc_stack.ss_sp = fiber_stacks[i];
        fibers[i].uc_stack.ss_size = FIBER_BYTES;
        makecontext(&fibers[i], (void (*)(void))body, 1, i);
    }
    for (int turn = 0; turn < TURNS * FIBERS; turn++)
        swapcontext(&scheduler, &fibers[turn % FIBERS]);
}

static void small_fibers(void)
{
    run_fibers(fiber);
    printf("all turns\n");
}

static void fibers_with_handlers(void)
{
    struct sigaction action = {.sa_handler = switch_in_handler};
    sigaction(SIGUSR1, &action, NULL);
    run_fibers(fiber_that_raises);
    printf("%d handled\n", (int)handled);
}

/* ---- stacks in a mess ---- */

/* Return addresses and frame pointers are overwritten, then put back. */
__attribute__((noipa)) static void smash(int depth)
{
    if (depth > 0) {
        smash(depth - 1);
        __asm__ volatile("");
        return;
    }
    static const uint64_t junk[] = {
        0, 0x4141414141414141, 0xffffffffff600000, 0x7fffffffffff};
    uint64_t *from = __builtin_frame_address(0);
    uint64_t saved[64];
    memcpy(saved, from, sizeof saved);
    for (int kind = 0; kind < 4; kind++) {
        for (int i = 0; i < 64; i++)
            from[i] = junk[kind];
        uint64_t end = 0;
        for (int i = 0; i < 200; i++)
            end += stir((uint64_t)i);
        __asm__ volatile("" : : "r"(end));
        memcpy(from, saved, sizeof saved);
    }
}

static void smashed_stack(void)
{
    for (int i = 0; i < 5; i++)
        smash(20);
    printf("still here\n");
}

/* The stack pointer is far below what is in use, as some code has it. */
static void sp_elsewhere(void)
{
    for (int i = 0; i < 200; i++) {
        uint64_t seed = 1;
        __asm__ volatile("movq %%rsp, %%r12\n"
                         "leaq -4096(%%rsp), %%rsp\n"
                         "movl $200000, %%ecx\n"
                         "1: imulq $3, %0, %0\n"
                         "decl %%ecx\n"
                         "jnz 1b\n"
                         "movq %%r12, %%rsp\n"
                         : "+r"(seed)
                         :
                         : "rcx", "r12", "memory", "cc");
    }
    printf("computed\n");
}

int main(int argc, char **argv)
{
    static const struct host_case cases[] = {
        {"alternate_stacks", alternate_stacks},
        {"fibers_with_handlers", fibers_with_handlers},
        {"freed_alternate_stack", freed_alternate_stack},
        {"handlers_see_their_own", handlers_see_their_own},
        {"jumps_from_alternate_stacks", jumps_from_alternate_stacks},
        {"small_fibers", small_fibers},
        {"smallest_alternate_stacks", smallest_alternate_stacks},
        {"smashed_stack", smashed_stack},
        {"sp_elsewhere", sp_elsewhere},
    };
    return HOST_CASES(cases, argc, argv);
}
