/*
 * The way in without a loader: the core, linked into an image that is position
 * independent and has no relocations (watchfire_guest), is mapped into a
 * process by whatever means and started. Nothing is registered with the
 * process's libc, loader or unwinder.
 *
 * Whoever maps it
 *
 *   1. reserves the span of its PT_LOAD segments, at any address;
 *   2. fills each segment from the file, and what p_memsz has beyond p_filesz
 *      with zeroes;
 *   3. starts it, in one of two ways.
 *
 * From within, by a call of prof_guest_start(), the entry point: samples come
 * from perf events or timers, as with the preloaded library, and the image must
 * stay mapped.
 *
 * From outside (profiler/attach/inject.h), by a thread of its own, which
 * begins at prof_guest_land: it speaks with the collector through struct
 * wire_guest (profiler/wire/guest.h). Of the process it uses no descriptor, no
 * lock and one signal (guest_signal.h). When the recording ends, it takes back
 * all it did, and only then, with no thread left inside, may the image be
 * unmapped.
 *
 * What is not here, as it needs the program's calls to be seen (shell_*.c):
 * exec and dlclose are not announced; threads and modules that come later are
 * looked for when the collector has seen that there are some.
 */
#ifndef PROFILER_AGENT_GUEST_H
#define PROFILER_AGENT_GUEST_H

#include <stdint.h>

#include "profiler/agent/scan.h"
#include "profiler/wire/guest.h"

struct prof_guest_call {
    char session[128]; /* NAME.SECRET, ended by a NUL; copied */
    char text[256];    /* out: the reason when it failed, or "" */
};

/* 0 when sampling has begun, 1 when not. On a stack of at least 64 KiB. */
__attribute__((visibility("default"))) int prof_guest_start(
    struct prof_guest_call *call);

/*
 * Where the thread begins that was made for the guest; goes on to
 * prof_guest_run(). The word that its stack pointer points to is the address of
 * struct wire_guest.
 */
__attribute__((visibility("default"))) void prof_guest_land(void);

/* The life of that thread; ends with it. All signals are blocked. */
__attribute__((visibility("hidden"), noreturn)) void prof_guest_run(
    struct wire_guest *guest);

/*
 * Wait until no thread can be inside a handler of ours: ours are not called any
 * more, and each thread has since used more CPU time than one takes, or sleeps
 * elsewhere.
 *
 *   returns  how many threads are not known to be out, after a while
 */
uint32_t prof_guest_wait_for_handlers(uint64_t begin, uint64_t end);

/*
 * Unmap what was mapped for the guest, but for one page of code, and end the
 * calling thread.
 */
__attribute__((visibility("hidden"), noreturn)) void prof_guest_vanish(
    uint64_t begin, uint64_t end);

/* What the walker needs, found by ourselves. */
const struct prof_engine *prof_guest_make_engine(struct prof_scan *scan);
void prof_guest_release_engine(struct prof_scan *scan);

#endif
