/*
 * Runs a command where system calls are refused with EPERM, as containers do:
 * refuse_calls NAME[,NAME...] COMMAND [ARG...].
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { RULES_MAX = 64 };

#define NAMED(name)                                                            \
    {                                                                          \
#name, SYS_##name                                                      \
    }

static const struct {
    const char *name;
    long number;
} calls[] = {
    NAMED(connect),         NAMED(getsockopt),       NAMED(madvise),
    NAMED(memfd_create),    NAMED(perf_event_open),  NAMED(pidfd_open),
    NAMED(ppoll),           NAMED(process_vm_readv), NAMED(ptrace),
    NAMED(restart_syscall), NAMED(sendmsg),          NAMED(socket),
    NAMED(timer_create),
};

static size_t add_rule(struct sock_filter *rules, size_t at, const char *name)
{
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        if (strcmp(calls[i].name, name) != 0)
            continue;
        rules[at++] = (struct sock_filter)BPF_JUMP(
            BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i].number, 0, 1);
        rules[at++] = (struct sock_filter)BPF_STMT(
            BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    }
    return at;
}

int main(int argc, char **argv)
{
    struct sock_filter rules[RULES_MAX] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
    size_t count = 1;
    if (argc < 3)
        return 2;
    for (char *name = strtok(argv[1], ","); name && count + 3 < RULES_MAX;
         name = strtok(NULL, ","))
        count = add_rule(rules, count, name);
    rules[count++] =
        (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog filter = {(unsigned short)count, rules};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
        perror("refuse_calls");
        return 1;
    }
    execvp(argv[2], argv + 2);
    perror(argv[2]);
    return 127;
}
