/*
 * What a process that crashed has to say: the message of its abort, and the
 * exception that nobody caught. Read from its memory while it waits in the
 * handler; nothing of it is run.
 */
#ifndef PROFILER_COLLECTOR_CRASH_WORDS_H
#define PROFILER_COLLECTOR_CRASH_WORDS_H

#include "profiler/model/crash.h"
#include "profiler/unwind/process_reader.h"
#include "profiler/wire/crash.h"

/*
 * Fill in message, exception_type and exception_what.
 *
 *   pid  whose memory it is
 */
void prof_crash_read_words(
    struct prof_crash *crash, uint32_t pid, const struct wire_crashes *places,
    const struct wire_crash *wire);

/* ---- what depends on the processor ---- */

/*
 * What a function returns that does next to nothing, by its instructions:
 * a constant, or a member of its object. 0: it does more than that.
 */
uint64_t prof_crash_simple_result(
    struct prof_reader *memory, uint64_t function_pc, uint64_t object);

#endif
