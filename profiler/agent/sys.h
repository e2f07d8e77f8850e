/*
 * Raw system calls for x86-64: no libc, no errno, no cancellation point.
 *
 * Every function returns what the kernel returns: a negative errno on failure.
 * The agent's core runs in a process whose libc it must not need.
 */
#ifndef PROFILER_AGENT_SYS_H
#define PROFILER_AGENT_SYS_H

#include <stddef.h>
#include <stdint.h>

#include <asm/unistd.h>

static inline long sys_call6(
    long number, long a, long b, long c, long d, long e, long f)
{
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8),
                       "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

#define SYS_ARG(value)     ((long)(uintptr_t)(value))
#define sys_call0(n)       sys_call6(n, 0, 0, 0, 0, 0, 0)
#define sys_call1(n, a)    sys_call6(n, SYS_ARG(a), 0, 0, 0, 0, 0)
#define sys_call2(n, a, b) sys_call6(n, SYS_ARG(a), SYS_ARG(b), 0, 0, 0, 0)
#define sys_call3(n, a, b, c)                                                  \
    sys_call6(n, SYS_ARG(a), SYS_ARG(b), SYS_ARG(c), 0, 0, 0)
#define sys_call4(n, a, b, c, d)                                               \
    sys_call6(n, SYS_ARG(a), SYS_ARG(b), SYS_ARG(c), SYS_ARG(d), 0, 0)
#define sys_call5(n, a, b, c, d, e)                                            \
    sys_call6(n, SYS_ARG(a), SYS_ARG(b), SYS_ARG(c), SYS_ARG(d), SYS_ARG(e), 0)

static inline int sys_gettid(void)
{
    return (int)sys_call0(__NR_gettid);
}

static inline int sys_getpid(void)
{
    return (int)sys_call0(__NR_getpid);
}

static inline long sys_close(int fd)
{
    return sys_call1(__NR_close, (long)fd);
}

/* As the kernel has it: 64 bits, whatever libc makes of struct rlimit. */
struct sys_limit {
    uint64_t soft, hard;
};

/* What cannot be read is no limit. */
static inline struct sys_limit sys_limit(int resource)
{
    struct sys_limit limit = {UINT64_MAX, UINT64_MAX};
    (void)sys_call4(__NR_prlimit64, 0L, (long)resource, (void *)NULL, &limit);
    return limit;
}

/* Whether a pointer-returning call failed. */
static inline int sys_is_error(long result)
{
    return result < 0 && result > -4096;
}

static inline long sys_mmap(
    void *address, size_t bytes, int protection, int flags, int fd, long offset)
{
    return sys_call6(
        __NR_mmap, SYS_ARG(address), SYS_ARG(bytes), protection, flags, fd,
        offset);
}

static inline long sys_munmap(void *address, size_t bytes)
{
    return sys_call2(__NR_munmap, address, bytes);
}

#endif
