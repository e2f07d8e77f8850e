/* The registers of a crash, by the processor's names. */
#ifndef PROFILER_COLLECTOR_CRASH_REGISTERS_H
#define PROFILER_COLLECTOR_CRASH_REGISTERS_H

#include "profiler/model/crash.h"
#include "profiler/unwind/sig_regs.h"
#include "profiler/wire/crash.h"

void prof_crash_name_registers(
    struct prof_crash *crash, const struct wire_crash *wire);

/* What the unwinder begins with. */
void prof_crash_unwind_registers(
    struct prof_regs *regs, const struct wire_crash *wire);

/* Whether the instruction at the pc could not be fetched. */
bool prof_crash_is_astray(const struct wire_crash *wire);

#endif
