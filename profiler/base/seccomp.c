/* A seccomp filter's program; see the header. */
#include "profiler/base/seccomp.h"

#include <linux/filter.h>
#include <stddef.h>
#include <string.h>

/* Whence it is made, and behind that the arguments. */
enum { PLACE = offsetof(struct seccomp_data, instruction_pointer) };

/* As the kernel ranks them, this is what is worst. */
#define REFUSED SECCOMP_RET_KILL_PROCESS

struct machine {
    uint32_t a, x, memory[BPF_MEMWORDS];
};

static uint32_t alu(uint16_t operation, uint32_t a, uint32_t operand)
{
    switch (operation) {
    case BPF_ADD:
        return a + operand;
    case BPF_SUB:
        return a - operand;
    case BPF_MUL:
        return a * operand;
    case BPF_DIV:
        return operand ? a / operand : 0;
    case BPF_OR:
        return a | operand;
    case BPF_AND:
        return a & operand;
    case BPF_XOR:
        return a ^ operand;
    case BPF_LSH:
        return a << (operand & 31);
    case BPF_RSH:
        return a >> (operand & 31);
    default: /* BPF_NEG */
        return -a;
    }
}

static bool is_taken(uint16_t operation, uint32_t a, uint32_t operand)
{
    switch (operation) {
    case BPF_JEQ:
        return a == operand;
    case BPF_JGT:
        return a > operand;
    case BPF_JGE:
        return a >= operand;
    default: /* BPF_JSET */
        return (a & operand) != 0;
    }
}

static uint32_t read_memory(const struct machine *machine, uint32_t index)
{
    return index < BPF_MEMWORDS ? machine->memory[index] : 0;
}

/* Whether the filter may look at a word of the call: what is known of it. */
static bool is_known(const struct seccomp_call *call, uint32_t offset)
{
    if (offset % 4 != 0 || offset >= sizeof(struct seccomp_data))
        return false;
    return offset < PLACE ||
           (call->known >> (offset - PLACE) / sizeof(uint64_t) & 1) != 0;
}

/* One that neither jumps nor returns; false: it asks for what is not known. */
static bool step(
    struct machine *machine, const struct sock_filter *at,
    const struct seccomp_call *call)
{
    switch (at->code) {
    case BPF_LD | BPF_W | BPF_ABS:
        if (!is_known(call, at->k))
            return false;
        memcpy(
            &machine->a, (const char *)&call->data + at->k, sizeof machine->a);
        return true;
    case BPF_LD | BPF_W | BPF_LEN:
        machine->a = sizeof call->data;
        return true;
    case BPF_LDX | BPF_W | BPF_LEN:
        machine->x = sizeof call->data;
        return true;
    case BPF_LD | BPF_IMM:
        machine->a = at->k;
        return true;
    case BPF_LDX | BPF_IMM:
        machine->x = at->k;
        return true;
    case BPF_LD | BPF_MEM:
        machine->a = read_memory(machine, at->k);
        return true;
    case BPF_LDX | BPF_MEM:
        machine->x = read_memory(machine, at->k);
        return true;
    case BPF_MISC | BPF_TAX:
        machine->x = machine->a;
        return true;
    case BPF_MISC | BPF_TXA:
        machine->a = machine->x;
        return true;
    default:
        break;
    }
    uint16_t class = BPF_CLASS(at->code);
    uint32_t operand = BPF_SRC(at->code) == BPF_X ? machine->x : at->k;
    if (class == BPF_ALU)
        machine->a = alu(BPF_OP(at->code), machine->a, operand);
    else if (class == BPF_ST && at->k < BPF_MEMWORDS)
        machine->memory[at->k] = machine->a;
    else if (class == BPF_STX && at->k < BPF_MEMWORDS)
        machine->memory[at->k] = machine->x;
    return true;
}

static uint32_t run(
    const struct sock_filter *code, uint32_t length,
    const struct seccomp_call *call)
{
    struct machine machine = {.a = 0};
    /* Jumps lead forward only: what would wrap around ends it. */
    for (uint64_t pc = 0; pc < length; pc++) {
        const struct sock_filter *at = &code[pc];
        uint16_t class = BPF_CLASS(at->code);
        if (class == BPF_RET)
            return BPF_RVAL(at->code) == BPF_A ? machine.a : at->k;
        if (class != BPF_JMP) {
            if (!step(&machine, at, call))
                return REFUSED;
        } else if (BPF_OP(at->code) == BPF_JA) {
            pc += at->k;
        } else {
            uint32_t operand = BPF_SRC(at->code) == BPF_X ? machine.x : at->k;
            pc += is_taken(BPF_OP(at->code), machine.a, operand) ? at->jt
                                                                 : at->jf;
        }
    }
    return REFUSED;
}

uint32_t seccomp_verdict(
    const struct sock_filter *code, uint32_t length,
    const struct seccomp_call *call)
{
    return run(code, length, call) & SECCOMP_RET_ACTION_FULL;
}

bool seccomp_passes(
    const struct sock_filter *code, uint32_t length,
    const struct seccomp_call *call)
{
    uint32_t action = seccomp_verdict(code, length, call);
    return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG;
}
