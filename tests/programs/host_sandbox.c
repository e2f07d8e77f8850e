/* Forbids itself system calls, on pain of death, and works on. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/programs/host_case.h"

enum door { BY_PRCTL, BY_SYSCALL, BY_INSTRUCTION };

#define ALLOW(number)                                                          \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),                         \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define LOAD_NUMBER                                                            \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))

static const char *own_path;

static long raw_call(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
    return result;
}

static void install(
    enum door door, const struct sock_filter *rules, size_t count)
{
    struct sock_fprog filter = {
        (unsigned short)count, (struct sock_filter *)(uintptr_t)rules};
    burn_ns(BRIEFLY);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    long result = -1;
    if (door == BY_PRCTL)
        result = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
    else if (door == BY_SYSCALL)
        result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter);
    else
        result = raw_call(
            SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)(uintptr_t)&filter);
    if (result != 0)
        _exit(77);
}

#define INSTALL(door, ...)                                                     \
    do {                                                                       \
        const struct sock_filter rules[] = {__VA_ARGS__};                      \
        install(door, rules, sizeof rules / sizeof *rules);                    \
    } while (0)

/* Computes without a call: the clock may be one. */
static void compute(void)
{
    for (int i = 0; i < 3000; i++)
        stir((uint64_t)i);
}

static void say(const char *text)
{
    if (write(1, text, strlen(text)) < 0)
        _exit(76);
}

/* Threads go on to come and go, signals to be blocked, modules to be used. */
static void *in_a_thread(void *nothing)
{
    compute();
    return nothing;
}

static void live_on(void)
{
    pthread_t thread;
    compute();
    if (pthread_create(&thread, NULL, in_a_thread, NULL) == 0)
        pthread_join(thread, NULL);
    say("alive\n");
    compute();
    exit(3);
}

/* What glibc needs for live_on(), and nothing that is ours. */
#define LIFE                                                                   \
    ALLOW(SYS_write), ALLOW(SYS_exit_group), ALLOW(SYS_exit),                  \
        ALLOW(SYS_rt_sigreturn), ALLOW(SYS_restart_syscall), ALLOW(SYS_futex), \
        ALLOW(SYS_clone), ALLOW(SYS_clone3), ALLOW(SYS_mmap),                  \
        ALLOW(SYS_mprotect), ALLOW(SYS_munmap), ALLOW(SYS_madvise),            \
        ALLOW(SYS_brk), ALLOW(SYS_set_robust_list), ALLOW(SYS_rseq),           \
        ALLOW(SYS_rt_sigprocmask), ALLOW(SYS_rt_sigaction),                    \
        ALLOW(SYS_getrandom)

static void killing(enum door door)
{
    INSTALL(
        door, LOAD_NUMBER, LIFE,
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
    /* One that nobody sees coming is noticed from outside, in a while. */
    for (int i = 0; i < 10; i++)
        compute();
    live_on();
}

static void killing_by_prctl(void)
{
    killing(BY_PRCTL);
}

static void killing_by_syscall(void)
{
    killing(BY_SYSCALL);
}

static void killing_by_instruction(void)
{
    killing(BY_INSTRUCTION);
}

/* All but the calls named: with an errno, with a signal, for a handler. */
static void refusing(void)
{
    INSTALL(
        BY_PRCTL, LOAD_NUMBER, LIFE,
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
    live_on();
}

static void trapping(void)
{
    INSTALL(
        BY_SYSCALL, LOAD_NUMBER, LIFE,
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP));
    live_on();
}

/* Not even a signal handler can return. */
static void no_return(enum door door, bool is_new_thread)
{
    INSTALL(
        door, LOAD_NUMBER, BPF_STMT(BPF_MISC | BPF_TAX, 0), /* by a detour */
        BPF_STMT(BPF_LD | BPF_IMM, SYS_rt_sigreturn),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    for (int i = 0; i < 3; i++)
        compute();
    pthread_t thread;
    if (is_new_thread && pthread_create(&thread, NULL, in_a_thread, NULL) == 0)
        pthread_join(thread, NULL);
    say("alive\n");
}

static void no_return_by_prctl(void)
{
    no_return(BY_PRCTL, true);
}

static void no_return_by_syscall(void)
{
    no_return(BY_SYSCALL, false);
}

static void strict(void)
{
    burn_ns(BRIEFLY);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0)
        _exit(77);
    compute();
    compute();
    say("alive\n");
    raw_call(SYS_exit, 5, 0, 0);
}

static void no_clock(void)
{
    burn_ns(BRIEFLY);
    printf("%d\n", prctl(PR_SET_TSC, PR_TSC_SIGSEGV));
    compute();
    printf("%d\n", prctl(PR_SET_TSC, PR_TSC_ENABLE));
    compute();
}

/* Asking whether there are filters: the program's pointer leads nowhere. */
static void probing(void)
{
    burn_ns(BRIEFLY);
    printf("%d %d\n", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL), errno);
    printf(
        "%d %d\n", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, (void *)8),
        errno);
    printf(
        "%ld %d\n", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL),
        errno);
    printf("%d\n", prctl(PR_GET_SECCOMP));
    burn_ns(BRIEFLY);
}

static void hello(void)
{
    compute();
    say("hello\n");
}

/* A filter outlives exec; the program after it needs what it needs. */
static void exec_under_filter(void)
{
    INSTALL(
        BY_PRCTL, LOAD_NUMBER,
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 4, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_create, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_timer_create, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
    compute();
    pid_t child = fork();
    if (child == 0)
        execl(own_path, own_path, "hello", (char *)NULL);
    int status = 0;
    waitpid(child, &status, 0);
    (void)printf("%d %d\n", WIFEXITED(status), WEXITSTATUS(status));
    execl(own_path, own_path, "hello", (char *)NULL);
}

/* A filter of one thread, while others are left free. */
static void *forbid_all(void *nothing)
{
    INSTALL(
        BY_SYSCALL, LOAD_NUMBER, LIFE,
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
    compute();
    return nothing;
}

static void one_thread(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, forbid_all, NULL);
    for (int i = 0; i < 5; i++)
        compute();
    pthread_join(thread, NULL);
    live_on();
}

int main(int argc, char **argv)
{
    static const struct host_case cases[] = {
        {"exec_under_filter", exec_under_filter},
        {"hello", hello},
        {"killing_by_instruction", killing_by_instruction},
        {"killing_by_prctl", killing_by_prctl},
        {"killing_by_syscall", killing_by_syscall},
        {"no_clock", no_clock},
        {"no_return_by_prctl", no_return_by_prctl},
        {"no_return_by_syscall", no_return_by_syscall},
        {"one_thread", one_thread},
        {"probing", probing},
        {"refusing", refusing},
        {"strict", strict},
        {"trapping", trapping},
    };
    own_path = argv[0];
    return HOST_CASES(cases, argc, argv);
}
