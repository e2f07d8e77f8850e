/* Processes whose samples are not even taken; see the header. */
#include "profiler/tap/filter.h"

#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/perf_event.h>

/* Beyond so many, strangers are passed over when records are read. */
enum { STRANGERS_MAX = 8192 };

/* Of the first pid namespace: PROC_PID_INIT_INO of <linux/proc_ns.h>, which
 * has been this since Linux 3.8. */
#define FIRST_PID_NAMESPACE 0xEFFFFFFCU

/* As the kernel spells them BPF_LD | BPF_DW | BPF_IMM, and BPF_ALU64 | BPF_ADD
 * | BPF_K: the others are 0. */
enum { LOAD_MAP = BPF_DW, ADD_NUMBER = BPF_ALU64 };

enum { TO_PID = 32, KEY_AT = -4, SAMPLE = 1, NO_SAMPLE = 0 };

static int bpf(enum bpf_cmd command, union bpf_attr *attr)
{
    return (int)syscall(SYS_bpf, command, attr, sizeof *attr);
}

static bool has_kernels_pids(void)
{
    struct stat own;
    return stat("/proc/self/ns/pid", &own) == 0 &&
           own.st_ino == FIRST_PID_NAMESPACE;
}

static int make_map(void)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.map_type = BPF_MAP_TYPE_HASH;
    attr.key_size = sizeof(uint32_t);
    attr.value_size = sizeof(uint32_t);
    attr.max_entries = STRANGERS_MAX;
    return bpf(BPF_MAP_CREATE, &attr);
}

/* return strangers[current pid] is there ? NO_SAMPLE : SAMPLE */
static int load_program(int strangers)
{
    static const char license[] = "Dual MIT/GPL";
    const struct bpf_insn code[] = {
        {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_current_pid_tgid},
        {.code = BPF_ALU64 | BPF_RSH | BPF_K, .imm = TO_PID},
        {.code = BPF_STX | BPF_MEM | BPF_W,
         .dst_reg = BPF_REG_10,
         .src_reg = BPF_REG_0,
         .off = KEY_AT},
        {.code = LOAD_MAP,
         .dst_reg = BPF_REG_1,
         .src_reg = BPF_PSEUDO_MAP_FD,
         .imm = strangers},
        {.code = 0}, /* the upper half of the word before */
        {.code = BPF_ALU64 | BPF_MOV | BPF_X,
         .dst_reg = BPF_REG_2,
         .src_reg = BPF_REG_10},
        {.code = ADD_NUMBER, .dst_reg = BPF_REG_2, .imm = KEY_AT},
        {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_map_lookup_elem},
        {.code = BPF_ALU64 | BPF_MOV | BPF_X,
         .dst_reg = BPF_REG_1,
         .src_reg = BPF_REG_0},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = SAMPLE},
        {.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = BPF_REG_1, .off = 1},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = NO_SAMPLE},
        {.code = BPF_JMP | BPF_EXIT}};
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.prog_type = BPF_PROG_TYPE_PERF_EVENT;
    attr.insns = (uintptr_t)code;
    attr.insn_cnt = sizeof code / sizeof code[0];
    attr.license = (uintptr_t)license;
    return bpf(BPF_PROG_LOAD, &attr);
}

void prof_tap_filter_open(struct prof_tap_filter *filter)
{
    *filter = PROF_TAP_NO_FILTER;
    if (!has_kernels_pids())
        return;
    filter->strangers = make_map();
    if (filter->strangers >= 0)
        filter->program = load_program(filter->strangers);
    if (filter->program < 0)
        prof_tap_filter_close(filter);
}

void prof_tap_filter_close(struct prof_tap_filter *filter)
{
    if (filter->program >= 0)
        (void)close(filter->program);
    if (filter->strangers >= 0)
        (void)close(filter->strangers);
    *filter = PROF_TAP_NO_FILTER;
}

void prof_tap_filter_attach(const struct prof_tap_filter *filter, int fd)
{
    if (filter->program >= 0)
        (void)ioctl(fd, PERF_EVENT_IOC_SET_BPF, filter->program);
}

static void set(
    const struct prof_tap_filter *filter, enum bpf_cmd command, uint32_t pid)
{
    const uint32_t is_there = 1;
    union bpf_attr attr;
    if (filter->strangers < 0)
        return;
    memset(&attr, 0, sizeof attr);
    attr.map_fd = (uint32_t)filter->strangers;
    attr.key = (uintptr_t)&pid;
    if (command == BPF_MAP_UPDATE_ELEM)
        attr.value = (uintptr_t)&is_there;
    (void)bpf(command, &attr);
}

void prof_tap_filter_refuse(const struct prof_tap_filter *filter, uint32_t pid)
{
    set(filter, BPF_MAP_UPDATE_ELEM, pid);
}

void prof_tap_filter_admit(const struct prof_tap_filter *filter, uint32_t pid)
{
    set(filter, BPF_MAP_DELETE_ELEM, pid);
}
