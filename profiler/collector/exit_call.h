/* How a thread ends itself without its libc: the number of exit(2), put where
 * the system call takes it from. */
#ifndef PROFILER_COLLECTOR_EXIT_CALL_H
#define PROFILER_COLLECTOR_EXIT_CALL_H

#include <stdbool.h>
#include <stdint.h>

/* Between the call and the system call there are fewer. */
enum { PROF_EXIT_CALL_INSNS = 6 };

struct prof_exit_call {
    bool is_asked; /* for exit, or exit_group */
};

/* See an instruction of `length` bytes. */
void prof_exit_call_note(
    struct prof_exit_call *call, const uint8_t *bytes, unsigned length);

#endif
