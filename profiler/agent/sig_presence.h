/*
 * Whether there is still a collector. It may be killed or stopped at any time,
 * and nobody tells us: the agent keeps no descriptor. But it shows itself in
 * every ring ten times a second (wire/header.h, `seen_ns`).
 */
#ifndef PROFILER_AGENT_SIG_PRESENCE_H
#define PROFILER_AGENT_SIG_PRESENCE_H

#include <stdbool.h>

#include "profiler/unwind/sig_engine.h"
#include "profiler/wire/header.h"

/* The collector has just answered: from here on it is expected. */
void prof_presence_begin(void);

/*
 * Whether nobody is to wait for an answer of the collector of `header`: it has
 * not been seen for long, or somebody has waited in vain since.
 */
SIGNAL_SAFE bool prof_presence_is_gone(const struct wire_header *header);

/* Somebody has waited in vain; holds until the collector shows itself. */
void prof_presence_note_silence(struct wire_header *header);

/*
 * A tick of a CPU-clock timer: whether the timers are to rest, because nobody
 * takes what they make.
 */
SIGNAL_SAFE bool prof_presence_is_given_up(void);

#endif
