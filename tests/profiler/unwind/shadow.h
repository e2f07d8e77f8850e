/*
 * The call stack a program really has, kept while it is executed instruction
 * by instruction: what an unwinder ought to say, without any CFI.
 *
 * A call adds the word it pushed; a stack pointer above that word removes it,
 * be it by ret, longjmp or an exception. Several stacks are told apart by
 * their addresses.
 */
#ifndef TESTS_PROFILER_UNWIND_SHADOW_H
#define TESTS_PROFILER_UNWIND_SHADOW_H

#include <stdint.h>

struct shadow;

struct shadow *shadow_create(void);
void shadow_destroy(struct shadow *shadow);

/* The frames found before the first instruction was followed, innermost
 * caller first; `sp` tells the stack. They are never removed. */
void shadow_set_base(
    struct shadow *shadow, uint64_t sp, const uint64_t *frames, uint32_t count);

/*
 * The stack pointer is `sp` now, and `word` is there: on a stack never seen
 * before, the return address its maker has put there.
 *
 *   returns  how many frames are gone
 */
unsigned shadow_move(struct shadow *shadow, uint64_t sp, uint64_t word);

/* A call has pushed `ret_pc` at `sp`. */
void shadow_call(struct shadow *shadow, uint64_t sp, uint64_t ret_pc);

/* A signal has interrupted `pc` at stack pointer `old_sp`; its handler will
 * return to `restorer`, which stands at `sp`. */
void shadow_signal(
    struct shadow *shadow, uint64_t old_sp, uint64_t pc, uint64_t sp,
    uint64_t restorer);

struct shadow_frame {
    uint64_t pc;   /* as in a walk's frames */
    uint64_t slot; /* where the call has put it; 0 unknown */
};

/* The callers of the present function, at most `capacity` of them. */
uint32_t shadow_frames(
    const struct shadow *shadow, struct shadow_frame *frames,
    uint32_t capacity);

/* How often the program has gone to another stack, other than by a signal. */
unsigned long shadow_switches(const struct shadow *shadow);

#endif
