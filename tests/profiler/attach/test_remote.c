/* System calls made in the name of a thread that notices nothing. */
#include "tests/harness.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/rseq.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "profiler/attach/remote.h"
#include "tests/profiler/attach/told.h"

enum { CALLS = 200 };

/* A child forked from us has its vDSO where ours is. */
static uint64_t vdso_syscall(pid_t child)
{
    uint64_t vdso = getauxval(AT_SYSINFO_EHDR);
    uint64_t at = prof_remote_find_syscall((uint32_t)child, vdso, vdso + 4096);
    CHECK(at != 0);
    return at;
}

/*
 * One getpid() in the thread's name; true when it was at a safe point. Every
 * other call is a pair of them.
 */
static bool call_once(uint32_t tid, pid_t pid, bool is_running, bool is_pair)
{
    static const uint64_t none[6];
    struct prof_remote remote;
    enum prof_remote_begin begun = prof_remote_begin(&remote, tid, is_running);
    if (begun == PROF_REMOTE_UNSAFE)
        return false;
    CHECK_EQ(begun, PROF_REMOTE_BEGUN);
    remote.syscall_pc = vdso_syscall(pid);
    CHECK_EQ(prof_remote_call(&remote, SYS_getpid, none), pid);
    if (is_pair)
        CHECK_EQ(prof_remote_call(&remote, -1, none), -ENOSYS);
    prof_remote_end(&remote);
    return true;
}

/* Until it is made: a machine that is busy may leave the thread no time to
   stop in. */
static void make_call(pid_t child, bool is_running)
{
    while (!call_once((uint32_t)child, child, is_running, true))
        ;
}

/* ---- every register ---- */

/*
 * Puts a value of its own into each register, the red zone and the flags, and
 * looks at all of them for ever; `rounds` counts up, unless one has changed.
 */
void spin_checked(_Atomic uint64_t *rounds, _Atomic uint64_t *wrong);
__asm__(".text\n"
        ".globl spin_checked\n"
        "spin_checked:\n"
        "mov $0x1101, %eax\n mov $0x1102, %ebx\n mov $0x1103, %ecx\n"
        "mov $0x1104, %edx\n mov $0x1105, %ebp\n mov $0x1108, %r8d\n"
        "mov $0x1109, %r9d\n mov $0x110a, %r10d\n mov $0x110b, %r11d\n"
        "mov $0x110c, %r12d\n mov $0x110d, %r13d\n mov $0x110e, %r14d\n"
        "mov %rsp, %r15\n"
        "movq %rbx, %xmm0\n movq %r15, %xmm7\n movq %r14, %xmm15\n"
        "movq $0x5a5a, -8(%rsp)\n movq $0x6b6b, -128(%rsp)\n"
        "1:\n"
        "cmp $0x1101, %rax\n jne 2f\n cmp $0x1102, %rbx\n jne 2f\n"
        "cmp $0x1103, %rcx\n jne 2f\n cmp $0x1104, %rdx\n jne 2f\n"
        "cmp $0x1105, %rbp\n jne 2f\n cmp $0x1108, %r8\n jne 2f\n"
        "cmp $0x1109, %r9\n jne 2f\n cmp $0x110a, %r10\n jne 2f\n"
        "cmp $0x110b, %r11\n jne 2f\n cmp $0x110c, %r12\n jne 2f\n"
        "cmp $0x110d, %r13\n jne 2f\n cmp $0x110e, %r14\n jne 2f\n"
        "cmp %rsp, %r15\n jne 2f\n"
        "cmpq $0x5a5a, -8(%rsp)\n jne 2f\n cmpq $0x6b6b, -128(%rsp)\n jne 2f\n"
        "movq %xmm0, %rax\n cmp %rbx, %rax\n jne 2f\n"
        "movq %xmm7, %rax\n cmp %r15, %rax\n jne 2f\n"
        "movq %xmm15, %rax\n cmp %r14, %rax\n jne 2f\n"
        "mov $0x1101, %eax\n"
        "lock incq (%rdi)\n"
        "stc\n nop\n nop\n nop\n nop\n jnc 2f\n"
        "jmp 1b\n"
        "2: lock incq (%rsi)\n"
        "jmp 1b\n");

static void check_registers(void)
{
    spin_checked(&told->rounds, &told->wrong);
}

TEST(remote_leaves_every_register_as_it_was)
{
    pid_t child = start_child(check_registers);
    wait_for_first_round();
    for (int i = 0; i < CALLS; i++) {
        while (!call_once((uint32_t)child, child, true, i % 2 != 0))
            ; /* it had no processor to stop on */
        if (i % 16 == 0)
            wait_for_rounds(1);
    }
    CHECK_EQ(told->wrong, 0);
    end_child(child);
}

/* ---- sections that the kernel undoes ---- */

/*
 * A counter for each processor, counted up without a lock: what was read is
 * written back some time later, if nobody else was on the processor meanwhile.
 * glibc has registered the area.
 */
static void count_up(struct rseq *area, uint64_t *counters)
{
    __asm__ volatile(".pushsection .data.rseq, \"aw\"\n"
                     ".balign 32\n"
                     "9: .long 0, 0\n .quad 1f, 2f - 1f, 4f\n"
                     ".popsection\n"
                     "0:\n"
                     "leaq 9b(%%rip), %%rax\n"
                     "movq %%rax, 8(%[area])\n" /* rseq_cs */
                     "1:\n"
                     "movl 4(%[area]), %%eax\n" /* cpu_id */
                     "shlq $6, %%rax\n"
                     "movq (%[counters], %%rax), %%rdx\n"
                     "movl $300, %%ecx\n"
                     "5: decl %%ecx\n"
                     "jnz 5b\n"
                     "incq %%rdx\n"
                     "movq %%rdx, (%[counters], %%rax)\n"
                     "2:\n"
                     "jmp 3f\n"
                     ".long 0x53053053\n" /* RSEQ_SIG */
                     "4: jmp 0b\n"
                     "3:\n"
                     :
                     : [area] "r"(area), [counters] "r"(counters)
                     : "rax", "rcx", "rdx", "memory", "cc");
}

static void *count_for_ever(void *number)
{
    struct rseq *area =
        (struct rseq
             *)(void *)((char *)__builtin_thread_pointer() + __rseq_offset);
    while (!told->is_over) {
        count_up(area, told->counters);
        told->added[(intptr_t)number]++;
        /* Outside of the section as long as inside. */
        for (volatile int i = 0; i < 300; i++)
            ;
    }
    return NULL;
}

static void count_by_rseq(void)
{
    pthread_t threads[WORKERS];
    for (intptr_t i = 1; i < WORKERS; i++)
        (void)pthread_create(&threads[i], NULL, count_for_ever, (void *)i);
    told->rounds++;
    (void)count_for_ever((void *)0);
    for (int i = 1; i < WORKERS; i++)
        (void)pthread_join(threads[i], NULL);
}

/* The sections are most of what the threads do: some calls find no place. */
TEST(remote_breaks_no_restartable_sequence)
{
    if (__rseq_size == 0 || sysconf(_SC_NPROCESSORS_CONF) > COUNTERS_MAX) {
        (void)printf("skipped: no rseq here\n");
        return;
    }
    pid_t child = start_child(count_by_rseq);
    wait_for_first_round();
    unsigned made = 0, unsafe = 0;
    for (int i = 0; i < CALLS; i++) {
        /* It must have run since, or each try would meet it where it was. */
        uint64_t added = told->added[0];
        while (told->added[0] == added)
            (void)usleep(100);
        if (call_once((uint32_t)child, child, true, false))
            made++;
        else
            unsafe++;
    }
    CHECK(made > 0);
    CHECK(unsafe > 0);
    told->is_over = true;
    CHECK_EQ(waitpid(child, NULL, 0), child);
    uint64_t added = 0, counted = 0;
    for (int i = 0; i < WORKERS; i++)
        added += told->added[i];
    for (int i = 0; i < COUNTERS_MAX; i++)
        counted += told->counters[i * 8];
    CHECK_EQ(counted, added);
    (void)munmap(told, sizeof *told);
}

/* ---- calls that are taken up again ---- */

static void wait_by_epoll(void)
{
    int fd = epoll_create1(0);
    struct epoll_event event;
    told->rounds++;
    told->result = epoll_wait(fd, &event, 1, -1) < 0 ? errno : 0;
    told->rounds++;
}

static void wait_by_read(void)
{
    int ends[2];
    char byte;
    (void)pipe(ends);
    told->rounds++;
    told->result = read(ends[0], &byte, 1) < 0 ? errno : 0;
    told->rounds++;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* 200 ms; `wrong`: it was over before that. Then it waits to be ended. */
static void wait_by_nanosleep(void)
{
    struct timespec limit = {.tv_nsec = 200000000};
    uint64_t since_ns = now_ns();
    told->rounds++;
    told->result = nanosleep(&limit, NULL) < 0 ? errno : 0;
    told->wrong = now_ns() - since_ns < 200000000;
    told->rounds++;
    for (;;)
        (void)pause();
}

static void check_that_it_waits_on(child_main *run)
{
    pid_t child = start_child(run);
    wait_for_first_round();
    for (int i = 0; i < 20; i++) {
        wait_for_state(child, 'S');
        make_call(child, false);
    }
    wait_for_state(child, 'S');
    CHECK_EQ(told->rounds, 1);
    end_child(child);
}

TEST(remote_lets_a_wait_go_on)
{
    check_that_it_waits_on(wait_by_epoll);
    check_that_it_waits_on(wait_by_read);
}

TEST(remote_lets_a_wait_go_on_to_its_end)
{
    unsigned within = 0;
    while (within == 0) { /* we may have been too late for it */
        pid_t child = start_child(wait_by_nanosleep);
        wait_for_first_round();
        for (int i = 0; i < 20; i++) {
            (void)usleep(1000);
            wait_for_state(child, 'S');
            make_call(child, false);
            within += told->rounds == 1;
        }
        while (told->rounds == 1)
            (void)usleep(1000);
        CHECK_EQ(told->result, 0);
        CHECK_EQ(told->wrong, 0);
        end_child(child);
    }
}

/* ---- signals ---- */

static void count_signal(int signal)
{
    (void)signal;
    told->rounds++;
}

/* SIGTRAP too: its disposition is what a single step would have changed. */
static void take_signals(void)
{
    struct sigaction action = {.sa_handler = count_signal};
    (void)sigaction(SIGUSR1, &action, NULL);
    (void)sigaction(SIGTRAP, &action, NULL);
    sigset_t others;
    (void)sigfillset(&others);
    (void)sigdelset(&others, SIGUSR1);
    (void)sigprocmask(SIG_SETMASK, &others, NULL);
    (void)sigprocmask(SIG_BLOCK, NULL, &others); /* as the kernel has it */
    told->rounds++;
    for (;;) {
        sigset_t mask;
        (void)sigprocmask(SIG_BLOCK, NULL, &mask);
        struct sigaction trap;
        (void)sigaction(SIGTRAP, NULL, &trap);
        if (memcmp(&mask, &others, 8) != 0 || trap.sa_handler != count_signal)
            told->wrong++;
    }
}

TEST(remote_keeps_signals_for_later)
{
    static const uint64_t none[6];
    pid_t child = start_child(take_signals);
    wait_for_first_round();
    for (int i = 0; i < 100; i++) {
        struct prof_remote remote;
        uint64_t before = told->rounds;
        enum prof_remote_begin begun =
            prof_remote_begin(&remote, (uint32_t)child, true);
        if (begun == PROF_REMOTE_UNSAFE)
            continue;
        CHECK_EQ(begun, PROF_REMOTE_BEGUN);
        remote.syscall_pc = vdso_syscall(child);
        (void)kill(child, SIGUSR1);
        CHECK_EQ(prof_remote_call(&remote, SYS_getpid, none), child);
        CHECK_EQ(told->rounds, before);
        prof_remote_end(&remote);
        while (told->rounds == before)
            (void)usleep(100);
        CHECK_EQ(told->rounds, before + 1);
    }
    CHECK_EQ(told->wrong, 0);
    end_child(child);
}

/* It is a thread of the child, and ends before it was ever anybody's. */
TEST(remote_makes_a_thread_that_makes_calls)
{
    static const uint64_t none[6];
    pid_t child = start_child(check_registers);
    wait_for_first_round();
    for (int i = 0; i < 20; i++) {
        struct prof_remote remote, made;
        if (prof_remote_begin(&remote, (uint32_t)child, true) !=
            PROF_REMOTE_BEGUN)
            continue;
        remote.syscall_pc = vdso_syscall(child);
        int64_t tid =
            prof_remote_clone(&remote, CLONE_VM | CLONE_SIGHAND | CLONE_THREAD);
        CHECK(tid > 0);
        prof_remote_end(&remote);
        CHECK(prof_remote_take_made(&remote, &made));
        CHECK_EQ(made.tid, tid);
        CHECK_EQ(prof_remote_call(&made, SYS_gettid, none), tid);
        wait_for_rounds(1); /* the other goes on meanwhile */
        CHECK_EQ(prof_remote_call(&made, SYS_getpid, none), child);
        CHECK_EQ(prof_remote_call(&made, SYS_exit, none), -ESRCH);
    }
    CHECK_EQ(told->wrong, 0);
    end_child(child);
}

TEST(remote_tells_who_is_gone)
{
    pid_t child = start_child(wait_by_read);
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    struct prof_remote remote;
    CHECK_EQ(
        prof_remote_begin(&remote, (uint32_t)child, true), PROF_REMOTE_GONE);
    (void)munmap(told, sizeof *told);
}
