/*
 * Samples laid out in time.
 *
 * A sample says: by this moment the thread had spent so much time on this
 * stack. Sentry wants to know what each thread did from one moment to the next:
 * in a chunk, a thread's stack stands until that thread's next sample. So every
 * sample becomes a stretch of its thread's time, exactly as long as its weight,
 * and time between two stretches is idle.
 *
 * The rule. A stretch ends at its sample's time; it begins no earlier than the
 * thread's stretch before has ended, and is moved later where it must be. If it
 * begins after that by less than an eighth of its length, it is moved there:
 * timers are not that exact, and a gap would be none. Nothing is ever cut, so
 * the sum over a thread is that of its weights.
 *
 * Time that no sample covers ([startup], [unsampled], ...) is known of the
 * process only, and later than it passed: it is laid out on a track beside the
 * process's threads. Samples that were summed have no time of their own; they
 * follow one another.
 *
 * A timeline goes on from one layout to the next, as a live session's does.
 */
#ifndef EXPORTERS_SENTRY_TIMELINE_H
#define EXPORTERS_SENTRY_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/table.h"
#include "profiler/model/profile.h"

struct exp_track {
    uint64_t id;     /* what the thread is called: as a rule its tid */
    uint32_t thread; /* of the profile, the latest under this id */
    uint64_t end_ns; /* of its last stretch */
    bool is_account; /* beside the threads of a process */
};

struct exp_stretch {
    uint64_t start_ns, end_ns; /* of the profile's clock, not empty */
    uint32_t track;
    uint32_t thread;
    uint32_t stack; /* of the profile; PROF_NONE: unknown */
};

struct exp_timeline {
    struct table tracks; /* struct exp_track */
    struct index index;
};

/*
 * What one of a profile's values is taken for where they are no times and no
 * period is known, as in folded text: a sample of 10 ms, or a nanosecond, when
 * such samples would be more than a week. 0: it is known.
 */
uint64_t exp_timeline_assumed_ns(const struct prof_profile *profile);

/* What such values are taken for, for a person. */
const char *exp_timeline_assumed_text(uint64_t assumed_ns);

void exp_timeline_init(struct exp_timeline *timeline);
void exp_timeline_fini(struct exp_timeline *timeline);

/*
 * Lay out samples `first` to before `last` of the profile.
 *
 *   stretches  struct exp_stretch, in the order of their starts; what the table
 *              holds already stays
 *   returns    false when out of memory
 */
bool exp_timeline_lay(
    struct exp_timeline *timeline, const struct prof_profile *profile,
    uint32_t first, uint32_t last, struct table *stretches);

#endif
