/*
 * A seccomp filter like that of a container: a few calls are refused with
 * EPERM, clone() is asked for its flags, socket() for its family, clone3() is
 * not there, all others pass. After moby's default profile, in as much as it
 * concerns a profiler: ptrace() and another process's memory are permitted,
 * perf_event_open() is not.
 */
#ifndef TESTS_PROGRAMS_CONTAINER_FILTER_H
#define TESTS_PROGRAMS_CONTAINER_FILTER_H

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>

#define LOAD(member)                                                           \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define ANSWER(action)      BPF_STMT(BPF_RET | BPF_K, action)
#define UNLESS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)
#define REFUSE(number, error)                                                  \
    LOAD(nr), UNLESS(number, 1), ANSWER(SECCOMP_RET_ERRNO | (error))

static struct sock_filter container_rules[] = {
    LOAD(arch),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
    ANSWER(SECCOMP_RET_KILL_PROCESS),
    REFUSE(SYS_perf_event_open, EPERM),
    REFUSE(SYS_bpf, EPERM),
    REFUSE(SYS_mount, EPERM),
    REFUSE(SYS_setns, EPERM),
    REFUSE(SYS_unshare, EPERM),
    REFUSE(SYS_keyctl, EPERM),
    REFUSE(SYS_clone3, ENOSYS),
    LOAD(nr),
    UNLESS(SYS_clone, 3),
    LOAD(args[0]),
    /* name spaces */
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x7e020000, 0, 1),
    ANSWER(SECCOMP_RET_ERRNO | EPERM),
    LOAD(nr),
    UNLESS(SYS_socket, 3),
    LOAD(args[0]),
    UNLESS(40 /* AF_VSOCK */, 1),
    ANSWER(SECCOMP_RET_ERRNO | EPERM),
    ANSWER(SECCOMP_RET_ALLOW),
};

static const struct sock_fprog container_filter = {
    sizeof container_rules / sizeof container_rules[0], container_rules};

#endif
