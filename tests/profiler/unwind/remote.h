/* The modules of another process, for walks from outside. */
#ifndef TESTS_PROFILER_UNWIND_REMOTE_H
#define TESTS_PROFILER_UNWIND_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "profiler/unwind/process_reader.h"
#include "profiler/unwind/sig_walker.h"

struct remote;

/* Aborts when out of memory. remote_close() it. */
struct remote *remote_open(pid_t pid);
void remote_close(struct remote *remote);

/* Read /proc/PID/maps again and publish what is executable now. */
void remote_refresh(struct remote *remote);

/*
 * Walk a stopped thread.
 *
 *   is_plain  without cache, trail and table of rows: from CFI alone
 */
void remote_walk(
    struct remote *remote, const struct prof_regs *regs, bool is_plain,
    struct prof_walk *walk);

/* "file+offset" of a pc, in ELF addresses. */
void remote_describe(
    const struct remote *remote, uint64_t pc, char *text, size_t size);

/* One word of its memory; false when it cannot be read. */
bool remote_load(const struct remote *remote, uint64_t address, uint64_t *word);

#endif
