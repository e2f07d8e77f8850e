/*
 * The code of another process, for walks from outside: its executable ranges
 * and the unwinding information of the files behind them.
 *
 * Ranges come from /proc/PID/maps, or one by one as they are mapped. Nobody
 * but the owner reads the list: what is published is in force at once.
 */
#ifndef PROFILER_COLLECTOR_CODE_H
#define PROFILER_COLLECTOR_CODE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/collector/bare_rows.h"
#include "profiler/collector/image_cache.h"
#include "profiler/unwind/sig_modules.h"
#include "profiler/unwind/sig_row_cache.h"
#include "profiler/unwind/sig_walk.h"

struct prof_code {
    struct prof_modules modules; /* what walks take */
    struct prof_row_cache cache;
    struct prof_image_cache *images; /* borrowed */
    struct table texts;              /* struct prof_text */
    struct table entries;            /* uint64_t: where programs begin */
    struct table files;         /* struct prof_code_file: what they are of */
    struct prof_bare_rows bare; /* of code that has no rules */
    uint32_t pid;
    bool is_changed; /* since the last publication */
};

/* Of the process `pid`, and empty; NULL when out of memory. */
struct prof_code *prof_code_create(
    uint32_t pid, struct prof_image_cache *images);
void prof_code_destroy(struct prof_code *code);

/* Take what is mapped in [line->start, line->end) from now on. */
void prof_code_map(struct prof_code *code, const struct prof_maps_line *line);

/* Put what was mapped in force. Cheap when nothing was. */
void prof_code_publish(struct prof_code *code);

/* Begin anew with what /proc/PID/maps says; false: it cannot be read. */
bool prof_code_read_maps(struct prof_code *code);

/*
 * How many of a walk's frames are in code that is in force, from the leaf on.
 * What comes after is no frame: a rule that does not hold there led astray.
 */
uint32_t prof_code_frames(struct prof_code *code, const struct prof_walk *walk);

/* Whether what is in force has code there. */
bool prof_code_holds(struct prof_code *code, uint64_t pc);

/* Where the function begins that `pc` is in, as unwinding information has it;
 * 0 where there is none. */
uint64_t prof_code_function(struct prof_modules *modules, uint64_t pc);

/* The same, as symbols have it. */
uint64_t prof_code_symbol(const struct prof_code *code, uint64_t pc);

/* Whether Go's linker made some of it, or the code there. */
bool prof_code_has_go(const struct prof_code *code);
bool prof_code_is_go(const struct prof_code *code, uint64_t pc);

/*
 * Whether the first code of a program or its loader stands there, which nobody
 * called, though no rule may say so (glibc's loader, musl).
 */
bool prof_code_is_entry(const struct prof_code *code, uint64_t pc);

#endif
