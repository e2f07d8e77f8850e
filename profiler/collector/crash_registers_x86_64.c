/* x86-64: uc_mcontext.gregs, as <sys/ucontext.h> numbers them. */
#include "profiler/collector/crash_registers.h"

#include <signal.h>

enum { TRAP_PAGE_FAULT = 14, ERROR_FETCH = 1 << 4 };

void prof_crash_name_registers(
    struct prof_crash *crash, const struct wire_crash *wire)
{
    static const struct {
        const char *name;
        int index;
    } names[] = {{"rax", REG_RAX}, {"rbx", REG_RBX},    {"rcx", REG_RCX},
                 {"rdx", REG_RDX}, {"rsi", REG_RSI},    {"rdi", REG_RDI},
                 {"rbp", REG_RBP}, {"rsp", REG_RSP},    {"r8", REG_R8},
                 {"r9", REG_R9},   {"r10", REG_R10},    {"r11", REG_R11},
                 {"r12", REG_R12}, {"r13", REG_R13},    {"r14", REG_R14},
                 {"r15", REG_R15}, {"eflags", REG_EFL}, {"rip", REG_RIP}};
    enum { COUNT = sizeof names / sizeof *names };
    _Static_assert(COUNT <= PROF_CRASH_REGISTERS, "there is room");
    for (int i = 0; i < COUNT; i++)
        crash->registers[i] = (struct prof_crash_register){
            names[i].name, wire->registers[names[i].index]};
    crash->register_count = COUNT;
}

void prof_crash_unwind_registers(
    struct prof_regs *regs, const struct wire_crash *wire)
{
    for (unsigned i = 0; i < PROF_REG_COUNT; i++)
        regs->value[i] = wire->registers[PROF_GREG_OF_COLUMN[i]];
    regs->known = PROF_REGS_ALL;
}

bool prof_crash_is_astray(const struct wire_crash *wire)
{
    return wire->signal == SIGSEGV &&
           wire->registers[REG_TRAPNO] == TRAP_PAGE_FAULT &&
           (wire->registers[REG_ERR] & ERROR_FETCH) != 0;
}
