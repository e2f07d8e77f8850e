/*
 * What the bytes of code say of calls and frames, where no rule does: decoded
 * from another process's memory, by what the processor's instructions are.
 */
#ifndef PROFILER_COLLECTOR_CALL_SITES_H
#define PROFILER_COLLECTOR_CALL_SITES_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/unwind/sig_reader.h"

/* What can have been the call that returns to an address: either, or both, for
 * nobody knows where an instruction begins. */
struct prof_call_site {
    bool is_direct, is_indirect;
    uint64_t target; /* of a direct one */
};

struct prof_call_site prof_call_site_before(
    struct prof_reader *code, uint64_t ret_pc);

/* Where a PLT entry at `pc` leads; `pc` when it is none. */
uint64_t prof_call_behind_plt(struct prof_reader *code, uint64_t pc);

/*
 * Bytes from the stack pointer to the CFA, at the least: what the prologue of
 * `function` has put below the frame pointer before it came to `pc`. Stale
 * return addresses lie among a function's locals, where they look like any
 * other. 0: not known.
 */
uint64_t prof_prologue_bytes(
    struct prof_reader *code, uint64_t function, uint64_t pc);

#endif
