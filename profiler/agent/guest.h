/*
 * The way in without a loader: the core, linked into an image that is position
 * independent and has no relocations (watchfire_guest), is mapped into a
 * process by whatever means and started by one call.
 *
 * Whoever maps it
 *
 *   1. reserves the span of its PT_LOAD segments, at any address;
 *   2. maps each segment there from the file, private, and what p_memsz has
 *      beyond p_filesz as zeroes;
 *   3. calls the entry point, prof_guest_start(), on a thread of the process
 *      with a normal stack of at least 64 KiB.
 *
 * Nothing is registered with the process's libc, loader or unwinder. The image
 * must stay mapped once it was started: handlers may be inside.
 *
 * What is not here, as it needs the program's calls to be seen (shell_*.c):
 * threads that start later are armed by perf events alone, exec and dlclose
 * are not announced, and a module that came later has no CFI until the next
 * prof_scan().
 */
#ifndef PROFILER_AGENT_GUEST_H
#define PROFILER_AGENT_GUEST_H

#include <stdint.h>

struct prof_guest_call {
    char session[128]; /* NAME.SECRET, ended by a NUL; copied */
    char text[256];    /* out: the reason when it failed, or "" */
};

/* 0 when sampling has begun, 1 when not. */
__attribute__((visibility("default"))) int prof_guest_start(
    struct prof_guest_call *call);

#endif
