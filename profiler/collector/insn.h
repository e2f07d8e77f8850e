/*
 * An instruction as far as frames go: how long it is, what it does to the
 * stack pointer, and where it may go on. Decoded from bytes of another process,
 * which may be anything.
 */
#ifndef PROFILER_COLLECTOR_INSN_H
#define PROFILER_COLLECTOR_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROF_INSN_BYTES_MAX 15

enum prof_insn_kind {
    PROF_INSN_OTHER,   /* nothing of what follows */
    PROF_INSN_MOVE_SP, /* the stack pointer goes down by `bytes`, or up */
    PROF_INSN_SAVE_FP, /* the frame pointer is pushed */
    PROF_INSN_LOAD_FP, /* it is popped */
    PROF_INSN_SET_FP,  /* it becomes the stack pointer */
    PROF_INSN_SP_FP,   /* the stack pointer becomes it, less `bytes` */
    PROF_INSN_LEAVE,   /* the same, and it is popped */
    PROF_INSN_LOSE_SP, /* the stack pointer becomes something unknown */
    PROF_INSN_BRANCH,  /* to `target`, or on */
    PROF_INSN_JUMP,    /* to `target`; 0: not known */
    PROF_INSN_END,     /* a return, or what is not gone beyond */
    PROF_INSN_SYSCALL,
};

struct prof_insn {
    unsigned length;
    enum prof_insn_kind kind;
    int64_t bytes;
    uint64_t target;
};

/*
 * Decode what stands at `pc`.
 *
 *   bytes, size_bytes  of it, PROF_INSN_BYTES_MAX if that many are readable
 *   returns            false when it is no instruction that programs have
 */
bool prof_insn_decode(
    const uint8_t *bytes, size_t size_bytes, uint64_t pc,
    struct prof_insn *insn);

#endif
