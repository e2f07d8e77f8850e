/*
 * What runtimes of managed languages do with faults: host_runtimes CASE. Each
 * counts what it recovers from, and checks what the kernel told it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "tests/programs/host_case.h"

enum { THREADS = 3, PAGE_BYTES = 4096 };

static void in_threads(void *(*work)(void *))
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, work, NULL);
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        printf("%ld\n", (long)(intptr_t)result);
    }
}

static void install(int number, void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction action = {
        .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(number, &action, NULL);
}

/* ---- implicit null checks ---- */

/* The loads that may fault and where each goes on, as a compiler notes them. */
struct place {
    uintptr_t load, recovery;
};
extern const struct place host_runtimes_load;

/* rbx ... r15 and xmm15 hold what a fault must not disturb. */
__attribute__((noipa)) static long load_or(const int *from, long otherwise)
{
    long value;
    __asm__ volatile("movq $0x5157, %%r12\n"
                     "movq $0x6268, %%r15\n"
                     "movq %%r15, %%xmm15\n"
                     "1: movslq (%1), %0\n"
                     "jmp 3f\n"
                     "2: movq %2, %0\n"
                     "movq %%xmm15, %%r13\n"
                     "subq %%r15, %%r13\n"
                     "addq %%r13, %0\n"
                     "subq $0x5157, %%r12\n"
                     "addq %%r12, %0\n"
                     "3:\n"
                     ".pushsection .data.rel.ro,\"aw\"\n"
                     ".balign 8\n"
                     ".globl host_runtimes_load\n"
                     "host_runtimes_load: .quad 1b, 2b\n"
                     ".popsection\n"
                     : "=&r"(value)
                     : "r"(from), "r"(otherwise)
                     : "r12", "r13", "r15", "xmm15", "memory", "cc");
    return value;
}

static _Atomic long untrue; /* what a handler was told and is not so */

static void expect(bool is_so)
{
    if (!is_so)
        atomic_fetch_add(&untrue, 1);
}

enum { TRAP_PAGE_FAULT = 14, FAULT_FROM_USER = 4, FAULT_PRESENT = 1 };

static void skip_null(int number, siginfo_t *info, void *context)
{
    ucontext_t *at = context;
    greg_t *regs = at->uc_mcontext.gregs;
    expect(number == SIGSEGV && info->si_code == SEGV_MAPERR);
    expect((uintptr_t)info->si_addr < PAGE_BYTES);
    expect(regs[REG_CR2] == (greg_t)(uintptr_t)info->si_addr);
    expect(regs[REG_TRAPNO] == TRAP_PAGE_FAULT);
    expect(regs[REG_ERR] == FAULT_FROM_USER);
    for (int i = 1; i < SIGRTMIN; i++)
        expect(sigismember(&at->uc_sigmask, i) == 0);
    if (regs[REG_RIP] != (greg_t)host_runtimes_load.load)
        _exit(99);
    (void)stir(1); /* long enough to be sampled as well */
    regs[REG_RIP] = (greg_t)host_runtimes_load.recovery;
}

static void *check_many(void *nothing)
{
    static const int one = 1;
    long found = 0;
    for (int i = 0; i < 10000; i++) {
        const int *from = i % 4 == 0 ? (const int *)(intptr_t)(i % 64) : &one;
        found += load_or(from, 1000);
    }
    (void)nothing;
    return (void *)found;
}

static void null_checks(void)
{
    install(SIGSEGV, skip_null);
    in_threads(check_many);
    printf("%ld untrue\n", (long)untrue);
}

/* ---- safepoints ---- */

static volatile char *poll_page;
static _Atomic int stopped, rounds_over;
static _Atomic bool is_stop_over;
static _Atomic long stops;

static void stop_here(int number, siginfo_t *info, void *context)
{
    int saved_errno = errno;
    (void)context;
    expect(number == SIGSEGV && info->si_code == SEGV_ACCERR);
    expect(info->si_addr == (void *)(uintptr_t)poll_page);
    atomic_fetch_add(&stopped, 1);
    while (!atomic_load(&is_stop_over))
        usleep(50);
    atomic_fetch_sub(&stopped, 1);
    atomic_fetch_add(&stops, 1);
    errno = saved_errno;
}

static void *run_between_polls(void *nothing)
{
    uint64_t seed = 1;
    while (!atomic_load(&rounds_over)) {
        seed = stir(seed);
        (void)*poll_page;
    }
    return nothing;
}

static void stop_the_world(void)
{
    atomic_store(&is_stop_over, false);
    mprotect((void *)(uintptr_t)poll_page, PAGE_BYTES, PROT_NONE);
    while (atomic_load(&stopped) < THREADS)
        usleep(50);
    mprotect((void *)(uintptr_t)poll_page, PAGE_BYTES, PROT_READ);
    atomic_store(&is_stop_over, true);
    while (atomic_load(&stopped) > 0)
        usleep(50);
}

static char *map_pages(size_t count, int protection)
{
    return mmap(
        NULL, count * PAGE_BYTES, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1,
        0);
}

static void safepoints(void)
{
    enum { ROUNDS = 20 };
    pthread_t threads[THREADS];
    poll_page = map_pages(1, PROT_READ);
    install(SIGSEGV, stop_here);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, run_between_polls, NULL);
    for (int round = 0; round < ROUNDS; round++) {
        stop_the_world();
        usleep(500);
    }
    atomic_store(&rounds_over, 1);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("%ld stops, %ld untrue\n", (long)stops, (long)untrue);
}

/* ---- write barriers ---- */

enum { CARDS = 512 };
static char *cards;
static _Atomic int dirtied;

static void let_write(int number, siginfo_t *info, void *context)
{
    const ucontext_t *at = context;
    uintptr_t address = (uintptr_t)info->si_addr;
    expect(number == SIGSEGV && info->si_code == SEGV_ACCERR);
    expect((at->uc_mcontext.gregs[REG_ERR] & FAULT_PRESENT) != 0);
    expect(address - (uintptr_t)cards < (size_t)CARDS * PAGE_BYTES);
    atomic_fetch_add(&dirtied, 1);
    (void)stir(1);
    mprotect(
        (void *)(address & ~(uintptr_t)(PAGE_BYTES - 1)), PAGE_BYTES,
        PROT_READ | PROT_WRITE);
}

static void write_barriers(void)
{
    install(SIGSEGV, let_write);
    cards = map_pages(CARDS, PROT_READ | PROT_WRITE);
    for (int collection = 0; collection < 8; collection++) {
        memset(cards, collection, (size_t)CARDS * PAGE_BYTES);
        mprotect(cards, (size_t)CARDS * PAGE_BYTES, PROT_READ);
        for (int i = 0; i < CARDS; i += 2)
            cards[i * PAGE_BYTES + i] = 1;
        mprotect(cards, (size_t)CARDS * PAGE_BYTES, PROT_READ | PROT_WRITE);
    }
    printf("%d dirtied, %ld untrue\n", (int)dirtied, (long)untrue);
}

/* ---- full stacks ---- */

enum { GUARD_BYTES = 4 * PAGE_BYTES, SMALL_STACK_BYTES = 256 * 1024 };

static _Thread_local sigjmp_buf shallow;
static _Thread_local uintptr_t guard;

static void leave_full_stack(int number, siginfo_t *info, void *context)
{
    (void)context;
    expect(number == SIGSEGV && info->si_code == SEGV_ACCERR);
    expect((uintptr_t)info->si_addr - guard < GUARD_BYTES);
    siglongjmp(shallow, 1);
}

__attribute__((noipa)) static long dive(long depth)
{
    volatile char frame[200];
    frame[0] = (char)depth;
    return depth < SMALL_STACK_BYTES ? dive(depth + 1) + frame[0] : 0;
}

/* The guard lies within the thread's stack, as a Java machine has it. */
static void *overflow(void *nothing)
{
    pthread_attr_t attributes;
    void *bottom;
    size_t bytes;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &bottom, &bytes);
    pthread_attr_destroy(&attributes);
    guard = (uintptr_t)bottom;
    mprotect(bottom, GUARD_BYTES, PROT_NONE);

    stack_t alternate = {
        .ss_sp = map_pages(8, PROT_READ | PROT_WRITE),
        .ss_size = (size_t)8 * PAGE_BYTES};
    sigaltstack(&alternate, NULL);
    volatile long found = 0;
    while (found < 1000) {
        if (sigsetjmp(shallow, 1) == 0)
            (void)dive(0);
        found = found + 1;
    }
    alternate.ss_flags = SS_DISABLE;
    sigaltstack(&alternate, NULL);
    mprotect(bottom, GUARD_BYTES, PROT_READ | PROT_WRITE);
    (void)nothing;
    return (void *)found;
}

static void full_stacks(void)
{
    install(SIGSEGV, leave_full_stack);
    pthread_t threads[THREADS];
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, SMALL_STACK_BYTES);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], &attributes, overflow, NULL);
    for (int i = 0; i < THREADS; i++) {
        void *found;
        pthread_join(threads[i], &found);
        printf("%ld\n", (long)(intptr_t)found);
    }
    printf("%ld untrue\n", (long)untrue);
}

/* ---- who sent it ---- */

static void note_sender(int number, siginfo_t *info, void *context)
{
    const greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
    printf(
        "%d: code %d, ours %d, value %d, trap %d\n", number, info->si_code,
        info->si_code <= 0 && info->si_pid == getpid(),
        info->si_code == SI_QUEUE ? info->si_value.sival_int : 0,
        info->si_code > 0 ? (int)regs[REG_TRAPNO] : 0);
    if (info->si_code > 0)
        siglongjmp(shallow, 1);
}

static void senders(void)
{
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    for (int i = 0; i < 5; i++) {
        install(numbers[i], note_sender);
        raise(numbers[i]);
        kill(getpid(), numbers[i]);
        sigqueue(getpid(), numbers[i], (union sigval){.sival_int = 7 + i});
        burn_ns(BRIEFLY / 4);
    }
    if (sigsetjmp(shallow, 1) == 0)
        *(volatile char *)UINT64_C(0x8000000000000000) = 1; /* no address */
    if (sigsetjmp(shallow, 1) == 0)
        __asm__ volatile("xorl %%ecx, %%ecx\n"
                         "idivl %%ecx"
                         :
                         : "a"(1), "d"(0)
                         : "rcx");
    if (sigsetjmp(shallow, 1) == 0)
        __asm__ volatile("ud2");
    if (sigsetjmp(shallow, 1) == 0)
        __asm__ volatile("int3");
    int file = memfd_create("short", MFD_CLOEXEC);
    char *past = mmap(NULL, PAGE_BYTES, PROT_READ, MAP_SHARED, file, 0);
    if (sigsetjmp(shallow, 1) == 0)
        printf("%d\n", *(volatile char *)past);
}

/* ---- faults served by another thread ---- */

enum { LAZY_PAGES = 256 };
static char *lazy;

static void serve_page(int server, uint64_t address, const char *page)
{
    struct uffdio_copy copy = {
        .dst = address & ~(uint64_t)(PAGE_BYTES - 1),
        .src = (uint64_t)(uintptr_t)page,
        .len = PAGE_BYTES};
    /* Asked for twice, when what waits for it is interrupted and comes back. */
    if (ioctl(server, UFFDIO_COPY, &copy) != 0 && errno == EEXIST)
        ioctl(
            server, UFFDIO_WAKE,
            &(struct uffdio_range){.start = copy.dst, .len = PAGE_BYTES});
}

static void *serve(void *context)
{
    int server = *(int *)context;
    static char page[PAGE_BYTES];
    memset(page, 'p', sizeof page);
    for (;;) {
        struct uffd_msg message;
        if (read(server, &message, sizeof message) != sizeof message)
            return NULL;
        if (message.event == UFFD_EVENT_UNMAP)
            return context;
        burn_ns(NS_PER_MS / 10);
        serve_page(server, message.arg.pagefault.address, page);
    }
}

static void *touch_all(void *nothing)
{
    long sum = 0;
    for (int i = 0; i < LAZY_PAGES; i++) {
        (void)stir(1);
        sum += lazy[i * PAGE_BYTES] == 'p';
    }
    (void)nothing;
    return (void *)sum;
}

static void lazy_memory(void)
{
    int server = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
    struct uffdio_api api = {
        .api = UFFD_API, .features = UFFD_FEATURE_EVENT_UNMAP};
    lazy = map_pages(LAZY_PAGES, PROT_READ | PROT_WRITE);
    struct uffdio_register range = {
        .range =
            {.start = (uint64_t)(uintptr_t)lazy,
             .len = (uint64_t)LAZY_PAGES * PAGE_BYTES},
        .mode = UFFDIO_REGISTER_MODE_MISSING};
    if (server < 0 || ioctl(server, UFFDIO_API, &api) != 0 ||
        ioctl(server, UFFDIO_REGISTER, &range) != 0) {
        burn_ns(BRIEFLY);
        printf("no userfaultfd: %d\n", errno);
        return;
    }
    pthread_t thread;
    pthread_create(&thread, NULL, serve, &server);
    in_threads(touch_all);
    munmap(lazy, (size_t)LAZY_PAGES * PAGE_BYTES);
    void *result;
    pthread_join(thread, &result);
    printf("served %d\n", result == &server);
}

int main(int argc, char **argv)
{
    static const struct host_case cases[] = {
        {"full_stacks", full_stacks}, {"lazy_memory", lazy_memory},
        {"null_checks", null_checks}, {"safepoints", safepoints},
        {"senders", senders},         {"write_barriers", write_barriers},
    };
    return HOST_CASES(cases, argc, argv);
}
