/* What a sample weighs by the clock of a processor; see the header. */
#include "profiler/tap/steer.h"

enum {
    SPREAD = 8,        /* samples that share what is owed */
    CHANCE_PERIODS = 8 /* owed by chance, at most */
};

void prof_tap_steer_look(
    struct prof_tap_steer *steer, uint64_t period_ns, uint64_t used_ns,
    uint64_t given_ns, uint64_t unread_ns)
{
    int64_t most_ns = (int64_t)(CHANCE_PERIODS * period_ns + unread_ns);
    steer->owed_ns = (int64_t)(used_ns - given_ns - steer->forgone_ns);
    if (steer->owed_ns > most_ns) {
        steer->forgone_ns += (uint64_t)(steer->owed_ns - most_ns);
        steer->owed_ns = most_ns;
    }
}

uint64_t prof_tap_steer_weigh(struct prof_tap_steer *steer, uint64_t period_ns)
{
    int64_t most_ns = (int64_t)(period_ns / 2);
    int64_t part_ns = steer->owed_ns / SPREAD;
    if (part_ns > most_ns)
        part_ns = most_ns;
    if (part_ns < -most_ns)
        part_ns = -most_ns;
    steer->owed_ns -= part_ns;
    return period_ns + (uint64_t)part_ns;
}
