/*
 * Which system calls may be interrupted by holding a thread (tracee.h).
 *
 * The kernel takes up most calls again when a stop has interrupted them: with
 * the time that is left where they have a deadline, which for poll, nanosleep
 * and futex it remembers (restart_syscall(2)), and for select, pselect and
 * ppoll has written back. Some end with EINTR instead, which signal(7) lists.
 * Those can be begun again, but nobody knows how long they have waited by
 * then: with a deadline, they are left alone.
 */
#ifndef PROFILER_ATTACH_HELD_CALL_H
#define PROFILER_ATTACH_HELD_CALL_H

#include <stdbool.h>
#include <stdint.h>

/* A system call of a sleeping thread, as /proc/PID/task/TID/syscall has it. */
struct prof_held_call {
    int64_t number; /* negative: it sleeps outside of one */
    uint64_t arguments[6];
};

/*
 * Whether a thread that sleeps in this call may be held.
 *
 *   is_filtered  a seccomp filter watches the thread: it may refuse, and
 * punish, the restart_syscall(2) that nobody in the program has written
 */
bool prof_call_may_be_held(const struct prof_held_call *call, bool is_filtered);

#endif
