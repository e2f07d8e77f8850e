/* Signals of ours that are the program's business: passed on, held, awaited. */
#ifndef PROFILER_AGENT_SIG_PASS_H
#define PROFILER_AGENT_SIG_PASS_H

#include <signal.h>
#include <stdbool.h>

#include "profiler/base/status.h"

/*
 * In the handler: do what would have happened to a signal that is not ours,
 * had it met the program's own disposition. For the program's signals, not in
 * sampling: this may make system calls.
 */
SIGNAL_SAFE void prof_signal_pass_on(int signal, void *info, void *ucontext);

/*
 * A signal that arrived while the program thought it blocked, for the calling
 * thread or the process: put it; whether there is one; take it; have it
 * delivered to the calling thread; drop all, in a fork's child. `signal` is
 * ours.
 */
SIGNAL_SAFE void prof_signal_hold(int signal, const siginfo_t *info);
bool prof_signal_is_held(int signal);
bool prof_signal_take_held(int signal, siginfo_t *info);
void prof_signal_send_held(int signal);
void prof_signal_forget_held(void);

/* The program reads these (bits 1 << signal) from a descriptor: signalfd(2). */
void prof_signal_note_read(unsigned signals);

/*
 * The thread `tid`, which has blocked `signal` in the kernel, waits for it: it
 * gets that signal when one is held back elsewhere. 0: no thread does.
 */
void prof_signal_await(int signal, int tid);

#endif
