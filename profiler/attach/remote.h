/*
 * System calls made by a thread of another process, which is held meanwhile
 * and then goes on exactly where it was: every register, the floating point
 * state, the signal mask, and the call it was in.
 *
 * A thread may be borrowed only at a safe point:
 *
 *   - not inside a critical section of rseq(2), whose end the kernel would
 *     no longer undo once it has seen the thread elsewhere;
 *   - not in a call that a stop would shorten (held_call.h): the caller sees to
 *     that before it begins.
 *
 * All signals are blocked from the stop to the end; they wait, and meet the
 * thread where it was. The calls are run up to their syscall-exit-stop by
 * PTRACE_SYSCALL. Not by single steps: the kernel forces the SIGTRAP of a step
 * on a thread that blocks it, by setting the program's disposition to SIG_DFL.
 *
 * Meanwhile the thread runs before all others, where that is permitted: it
 * needs a processor for each call.
 *
 * The end goes through one more PTRACE_INTERRUPT: only in that stop, and not in
 * one at the exit of a call, does the kernel look whether the registers that
 * were put back stand in a call that is to be taken up again.
 *
 * Whoever dies with a thread borrowed leaves it lost, so this is for a process
 * made for the purpose (apart.h), not for one that a user may kill.
 */
#ifndef PROFILER_ATTACH_REMOTE_H
#define PROFILER_ATTACH_REMOTE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/user.h>

#include "profiler/attach/urgency.h"

struct prof_remote {
    uint32_t tid;
    uint64_t syscall_pc;          /* of a SYSCALL instruction; may be changed */
    struct user_regs_struct regs; /* as they were */
    uint64_t mask;                /* of signals, as it was */
    uint64_t since_ns;            /* when it was seen to stand */
    struct prof_urgency urgency;
};

enum prof_remote_begin {
    PROF_REMOTE_BEGUN,
    PROF_REMOTE_UNSAFE, /* not a safe point: it goes on, try again */
    PROF_REMOTE_GONE,
    PROF_REMOTE_REFUSED, /* by the system: errno says how */
};

/*
 * Stop the thread `tid` and make it ready for calls.
 *
 *   is_running  it ran when it was last looked at; else it sleeps in a call
 *               that may be held
 */
enum prof_remote_begin prof_remote_begin(
    struct prof_remote *remote, uint32_t tid, bool is_running);

/*
 * Have it make a system call; what the kernel returned: a negative errno on
 * failure, -ESRCH when the thread is gone.
 */
int64_t prof_remote_call(
    struct prof_remote *remote, int64_t number, const uint64_t arguments[6]);

/*
 * Have it make a thread by clone(2) with these flags, which is borrowed before
 * its first instruction: its calls hold nobody of the program. What the kernel
 * returned, as prof_remote_call().
 */
int64_t prof_remote_clone(struct prof_remote *remote, uint64_t flags);

/*
 * That thread, once it is there; it may need time to get a processor, and the
 * one that made it has been let go. It is let go by prof_remote_launch() only.
 * False: it is gone.
 */
bool prof_remote_take_made(
    const struct prof_remote *remote, struct prof_remote *made);

/* Let such a thread go, on from `pc` with this stack pointer. */
void prof_remote_launch(struct prof_remote *made, uint64_t pc, uint64_t sp);

/*
 * Have the wait that was interrupted begin again with its whole time, in the
 * end, not by restart_syscall(2) with what is left: a seccomp filter may punish
 * a call that nobody in the program has written. For one that is not known.
 */
void prof_remote_begin_again(struct prof_remote *remote);

/* Put everything back and let it go on; for how long it was held. */
uint64_t prof_remote_end(struct prof_remote *remote);

/*
 * The address of a SYSCALL instruction in the code between `start` and `end` of
 * the process `pid`; 0 when there is none.
 */
uint64_t prof_remote_find_syscall(uint32_t pid, uint64_t start, uint64_t end);

#endif
