/*
 * The memory of another process, for a walk from outside: a window of one
 * page, fetched with process_vm_readv() when a load leaves it, or from
 * /proc/PID/mem where a filter refuses that.
 */
#ifndef PROFILER_UNWIND_PROCESS_READER_H
#define PROFILER_UNWIND_PROCESS_READER_H

#include <stdint.h>
#include <sys/types.h>

#include "profiler/unwind/sig_reader.h"

/* Fetching 16 KiB takes 2 us where 8 bytes take 1 (measured), and most
 * stacks are shorter. */
#define PROF_PROCESS_WINDOW_BYTES 16384

struct prof_process_reader {
    struct prof_reader reader; /* what a walk takes */
    pid_t pid;                 /* or any thread of it */
    uint8_t bytes[PROF_PROCESS_WINDOW_BYTES];
};

/*
 * Begin with an empty window. Nothing is kept from one stop of the process to
 * the next: initialise again. `reader` must not move while in use.
 */
void prof_process_reader_init(struct prof_process_reader *reader, pid_t pid);

/*
 * Copy memory of the process `pid`, or of any thread of it.
 *
 *   returns  how many bytes from `address` on were copied: whole pages, or
 *            nothing beyond the first one that is not there
 */
uint64_t prof_process_copy(
    pid_t pid, uint64_t address, void *bytes, uint64_t count);

#endif
