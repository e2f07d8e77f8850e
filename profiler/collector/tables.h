/*
 * The tables of rows of a session, in one memfd that every target maps; what
 * the unwinder does with them stands in profiler/unwind/sig_row_table.h.
 *
 * Making a table takes a millisecond to a MiB of code; a sample saves some
 * microseconds by it. So a module gets one when the samples it has had would
 * have paid for it: that is at most twice what knowing the future would cost.
 * A thread of its own does the work, so that no HELLO waits for it.
 *
 * One caller at a time. Modules are ids of the profile.
 */
#ifndef PROFILER_COLLECTOR_TABLES_H
#define PROFILER_COLLECTOR_TABLES_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/collector/address_space.h"
#include "profiler/model/profile.h"

struct prof_tables;

/* `profile` is borrowed. NULL: this system cannot; all goes on without. */
struct prof_tables *prof_tables_create(const struct prof_profile *profile);
void prof_tables_destroy(struct prof_tables *tables);

/* The memfd, sealed so that whoever gets it can only read; -1: none. */
int prof_tables_fd(const struct prof_tables *tables);

/*
 * Count samples whose innermost frame is in the module mapped at `mapping` of
 * process `pid`, which is asked for the file when its table becomes worth it.
 */
void prof_tables_count(
    struct prof_tables *tables, uint32_t pid,
    const struct prof_space_mapping *mapping, uint32_t samples);

/* Where the module's table begins in the memfd; 0: nowhere yet. */
uint64_t prof_tables_place(const struct prof_tables *tables, uint32_t module);

/* How many tables there are. */
uint32_t prof_tables_made(const struct prof_tables *tables);

/* Samples that must be in `text_bytes` of code before they get a table. */
uint64_t prof_tables_worth(uint64_t text_bytes);

#endif
