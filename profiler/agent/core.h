/*
 * The agent's core: the guest in the target process. Freestanding: raw system
 * calls, no libc, no thread-local storage, no loader, no relocation but its
 * own. The preload shell around it (shell_*.c) supplies what only libc knows.
 *
 * Functions run in normal context, one thread at a time. What handlers know of
 * the core stands in sig_core.h.
 *
 * No failure here reaches the program: the core stays idle and the collector
 * is told why, once.
 */
#ifndef PROFILER_AGENT_CORE_H
#define PROFILER_AGENT_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/agent/sig_core.h"
#include "profiler/wire/record.h"

/*
 * Join the session: install the handlers, make the ring, say HELLO, and arm
 * the clocks of all threads.
 *
 *   returns  false when the process is not sampled; `text` has the reason, or
 *            "" when the collector did not answer
 */
bool prof_core_start(
    const struct prof_core_config *config, char *text, uint32_t text_bytes);

/*
 * Give back what prof_core_start() has mapped. No handler may be inside, nor
 * come in.
 */
void prof_core_unmap(void);

/* Where crashes are wanted: publish the places, here and in children. */
void prof_core_set_places(const struct prof_crash_places *places);

/* In a fork's child: forget the parent's ring and start anew. */
void prof_core_restart_in_child(void);

/*
 * Around exec: false when another process's memory is borrowed (vfork) or
 * nothing is active, and nothing needs to be done. `is_masked`: our signals
 * will be blocked, so one that is under way would wait for the new program.
 */
bool prof_core_before_exec(bool is_masked);
void prof_core_after_failed_exec(void);

/*
 * Whether a collector listens that may be told something, also by a vfork child
 * of this process; and tell it what `text` is for WIRE_UNSEEN.
 */
bool prof_core_is_asked(void);
bool prof_core_tell_unseen(const char *text);

/*
 * A new program is about to be started: whether there is no collector that it
 * could say HELLO to, so that it would wait in vain. It is counted as lost.
 */
bool prof_core_loses_child(void);

/* The process begins to exit: note its CPU time. */
void prof_core_note_exit(void);

/*
 * Say BYE and wait until the outputs are written, at most 2 s (PID 1: as long
 * as it takes). Returns false and the reason in `text` when they could not be.
 */
bool prof_core_wait_for_outputs(char *text, uint32_t text_bytes);

/*
 * CPU time of the calling thread, ns; and at its end, tell that and what it
 * had used before the program's function began. System calls.
 */
uint64_t prof_core_thread_cpu_ns(void);
void prof_core_note_thread_end(uint64_t before_ns, uint64_t begin_ns);

/* Publish code that may soon be unmapped, or that is gone; see wire/record.h.
 */
void prof_core_publish(const struct wire_module *module);

#endif
