/* Our signals: what the kernel does with them, and what the program believes.
 */
#ifndef PROFILER_AGENT_SIGNALS_H
#define PROFILER_AGENT_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/agent/kernel_sigaction.h"
#include "profiler/base/status.h"

/* Handles all of them, as SA_SIGINFO has it. */
typedef void prof_signal_handler(int signal, void *info, void *ucontext);

/*
 * The signals that are ours, and what the program believes of them: SIGTRAP and
 * that of the timers, by which samples come; and where crashes are wanted,
 * those of sig_crash.h. Others are not ours and give false.
 */
bool prof_signal_is_ours(int signal);
bool prof_signal_is_sampling(int signal);
void prof_signals_install(prof_signal_handler *handler);
void prof_signals_catch_crashes(void);

/* The program is about to use alternate stacks, which others may need. */
void prof_signals_note_alternate(void);

/* Leave all of them to the program, as it set them. */
void prof_signals_uninstall(void);

/*
 * For an exec: ignore in the kernel what the program ignores; and back. Not
 * those of `but`, bits 1 << signal, which a vfork child has set itself.
 */
void prof_signals_reveal(unsigned but);
void prof_signals_hide(unsigned but);

/* The program's own disposition of a signal of ours, where it is kept. */
const struct prof_kernel_sigaction *prof_signal_believed(int signal);

/* Set that, and ask for the one before; either may be NULL. */
void prof_signal_exchange(
    int signal, const struct prof_kernel_sigaction *wanted,
    struct prof_kernel_sigaction *old);

#endif
