/* What a sample weighs by the clock of a processor; see the header. */
#include "profiler/tap/steer.h"

#include <math.h>

enum {
    SPREAD = 8,         /* samples that share what is owed */
    CHANCE_PERIODS = 8, /* owed by chance, at most, from one look to the next */
    SIGMAS = 4          /* of what chance makes of all samples */
};

/*
 * What samples may still weigh beyond their periods. How many meet a process
 * spreads by the root of their number at most: as if each came or not by
 * itself, for one that is hardly ever there.
 */
static int64_t room_ns(const struct prof_tap_steer *steer, uint64_t period_ns)
{
    uint64_t root = (uint64_t)sqrt((double)steer->count);
    uint64_t chance = CHANCE_PERIODS + SIGMAS * root;
    int64_t room = (int64_t)(chance * period_ns) - steer->steered_ns;
    return room > 0 ? room : 0;
}

static int64_t least_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void prof_tap_steer_look(
    struct prof_tap_steer *steer, uint64_t period_ns, uint64_t used_ns,
    uint64_t given_ns, uint64_t unread_ns)
{
    int64_t chance_ns = least_of(
        (int64_t)(CHANCE_PERIODS * period_ns), room_ns(steer, period_ns));
    int64_t most_ns = chance_ns + (int64_t)unread_ns;
    steer->owed_ns = (int64_t)(used_ns - given_ns - steer->forgone_ns);
    if (steer->owed_ns > most_ns) {
        steer->forgone_ns += (uint64_t)(steer->owed_ns - most_ns);
        steer->owed_ns = most_ns;
    }
}

uint64_t prof_tap_steer_weigh(struct prof_tap_steer *steer, uint64_t period_ns)
{
    int64_t half_ns = (int64_t)(period_ns / 2);
    int64_t most_ns = least_of(half_ns, room_ns(steer, period_ns));
    int64_t part_ns = least_of(steer->owed_ns / SPREAD, most_ns);
    if (part_ns < -half_ns)
        part_ns = -half_ns;
    steer->owed_ns -= part_ns;
    steer->steered_ns += part_ns;
    steer->count++;
    return period_ns + (uint64_t)part_ns;
}
