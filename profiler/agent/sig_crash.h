/*
 * Crashes: what a signal that ends the program has found, written down in
 * shared memory before the signal takes its course. The states stand in
 * profiler/wire/crash.h.
 *
 * A signal that the program has no handler for is written down and waited
 * with, so that the collector can see the other threads. One that it has a
 * handler for may be a runtime's null check or a barrier of its garbage
 * collector: it costs a note in memory of our own, and ten times a second a
 * stack. Whether that was the end shows later: the handler exits, or raises
 * the same signal again, or the process dies in it.
 *
 * Here system calls are made in a handler, for the program is at its end;
 * but none where a seccomp filter may kill for it, which would change the
 * status. There the wait spins.
 */
#ifndef PROFILER_AGENT_SIG_CRASH_H
#define PROFILER_AGENT_SIG_CRASH_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

#include "profiler/base/status.h"
#include "profiler/wire/crash.h"

/* Signals that end a program by themselves, SIGTRAP aside. */
#define PROF_CRASH_SIGNALS                                                     \
    {                                                                          \
        SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS                       \
    }
enum { PROF_CRASH_SIGNAL_COUNT = 6 };

/* Whether the collector wants crashes and `signal` makes one. */
SIGNAL_SAFE bool prof_crash_is_wanted(int signal);

/* Whether no system call is to be made even when the program crashes. */
SIGNAL_SAFE bool prof_crash_is_silent(void);

/* `signal` is about to end the process; returns within WIRE_CRASH_WAIT_NS. */
SIGNAL_SAFE void prof_crash_note_fatal(
    int signal, const siginfo_t *info, const ucontext_t *context);

/* A handler of the program's is about to be started for what it has done. */
SIGNAL_SAFE void prof_crash_note_handled(
    int signal, const siginfo_t *info, const ucontext_t *context);

/*
 * prof_signal_deliver() has laid out that handler's frame at `frame`, with the
 * signal's own ucontext and siginfo. Takes less of the stack than that function
 * leaves to its caller.
 *
 *   low  where the stack of that frame begins; 0: not known
 */
SIGNAL_SAFE void prof_crash_note_started(
    int signal, uint64_t frame, const siginfo_t *info, uint64_t low);

/*
 * Whether the kernel could put a handler's frame on the stack of `context`. It
 * cannot when that is what overflowed, and kills.
 */
SIGNAL_SAFE bool prof_crash_has_room(
    int signal, const siginfo_t *info, const ucontext_t *context);

/*
 * The process is about to exit, or to become another program. From within its
 * handler for a crash, that is its end and is written down; while another
 * thread crashes, that comes first, as it would have without us.
 */
void prof_crash_note_exit(void);

/* ---- what depends on the processor ---- */

SIGNAL_SAFE void prof_crash_registers(
    struct wire_crash *crash, const ucontext_t *context);

/*
 * Whether the signal stands for a jump to where no code is; then the call that
 * led there is `call`: the registers before it.
 */
SIGNAL_SAFE bool prof_crash_is_jump(
    int signal, const ucontext_t *context, ucontext_t *call);

/*
 * Arrange that the return from the handler meets what has caused the signal
 * once more; false: it cannot be had again.
 */
SIGNAL_SAFE bool prof_crash_rewind(
    int signal, const siginfo_t *info, ucontext_t *context);

/* Of a frame that prof_signal_deliver() has laid out. */
SIGNAL_SAFE const ucontext_t *prof_crash_frame_context(uint64_t frame);

/* Copy from memory that may not be there. System calls. */
SIGNAL_SAFE bool prof_crash_peek(void *to, uint64_t from, uint64_t bytes);

#endif
