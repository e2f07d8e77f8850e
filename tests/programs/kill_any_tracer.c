/*
 * Runs a command that the kernel kills when it lets anyone trace it, by
 * prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY): kill_any_tracer COMMAND [ARG...].
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD(field)                                                            \
    BPF_STMT(                                                                  \
        BPF_LD | BPF_W | BPF_ABS,                                              \
        (unsigned)offsetof(struct seccomp_data, field))
#define UNLESS(value, skipped)                                                 \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)(value), 0, skipped)

int main(int argc, char **argv)
{
    struct sock_filter rules[] = {
        LOAD(nr),
        UNLESS(SYS_prctl, 5),
        LOAD(args[0]), /* its lower half */
        UNLESS(PR_SET_PTRACER, 3),
        LOAD(args[1]),
        UNLESS(PR_SET_PTRACER_ANY, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof rules / sizeof *rules, rules};
    if (argc < 2 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
        perror("kill_any_tracer");
        return 1;
    }
    execvp(argv[1], argv + 1);
    perror(argv[1]);
    return 127;
}
