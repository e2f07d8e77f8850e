/*
 * What the walker must know of a process, found by the process itself without
 * its loader: modules and stacks, from /proc/self/maps and the ELF headers in
 * memory. For a core that was mapped into a running process, be it glibc, musl
 * or static: no shell is there to ask dl_iterate_phdr() or
 * pthread_getattr_np().
 *
 * Other threads run meanwhile, and may unmap what a line of the maps told of.
 * Memory of others is therefore read through /proc/self/mem, which fails where
 * a load would fault; and what the walker is to read later is never theirs: a
 * module's CFI is mapped again from its file, when that is still the file that
 * is loaded, or else copied. Only what is never unmapped is referred to itself:
 * the text of the program and of its interpreter, and the vDSO.
 *
 * Stacks are the kernel's "[stack]" and anonymous memory above a guard page,
 * which is how threads get theirs. Such a mapping may have grown together with
 * one above it that may vanish; a walk therefore stops at the thread's control
 * block, which libcs put on top of the stack (prof_cfi_engine.clips_stacks).
 * Where the processor does not tell the thread pointer, thread stacks are left
 * out, and their samples end early.
 */
#ifndef PROFILER_AGENT_SCAN_H
#define PROFILER_AGENT_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/unwind/sig_engine.h"

/* What one scan has mapped for the walker. */
struct prof_scan_memory;

struct prof_scan {
    struct prof_cfi_engine *cfi; /* set by the caller; the rest is 0 */
    struct prof_scan_memory *memory, *old; /* published now, and before */
};

/*
 * Publish modules and stacks as they are now. May be called again when they
 * have changed: what is gone is forgotten.
 *
 *   returns  false when nothing could be read, or handlers are still inside
 *            what was published before the last time: try again later
 *   context  normal, one caller at a time
 */
bool prof_scan(struct prof_scan *scan);

/* Publish the stacks alone, where threads have come or gone. */
void prof_scan_stacks(struct prof_scan *scan);

/* Unmap it all. No handler may be inside, nor come in. */
void prof_scan_release(struct prof_scan *scan);

/*
 * Bytes from the thread pointer to the thread's kernel id, found in the calling
 * thread, which has the thread pointer of the thread `tid`; 0 when it is not
 * certain.
 */
uint32_t prof_scan_tid_offset(uint32_t tid);

#endif
