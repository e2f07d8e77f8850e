/* Which processors are in use. */
#include "tests/harness.h"

#include <stdlib.h>

#include "profiler/tap/processors.h"

#define SECOND_NS UINT64_C(1000000000)

static uint32_t count_at(const struct prof_processors *all, uint64_t now_ns)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < all->end; i++)
        count += prof_processors_has(all, i, now_ns);
    return count;
}

TEST(processors_are_those_where_somebody_was_seen_lately)
{
    struct prof_processors *all = calloc(1, sizeof *all);
    uint64_t now_ns = 5 * SECOND_NS;
    CHECK_EQ(count_at(all, now_ns), 0);
    prof_processors_note(all, 3, now_ns);
    CHECK_EQ(all->end, 4);
    prof_processors_note(all, PROF_PROCESSORS_MOST - 1, now_ns);
    prof_processors_note(all, PROF_PROCESSORS_MOST, now_ns); /* too many */
    prof_processors_note(all, UINT32_MAX, now_ns);           /* not known */
    CHECK_EQ(all->end, PROF_PROCESSORS_MOST);
    CHECK_EQ(count_at(all, now_ns), 2);
    CHECK(prof_processors_has(all, 3, now_ns));
    CHECK(!prof_processors_has(all, 4, now_ns));
    CHECK(prof_processors_has(all, PROF_PROCESSORS_MOST - 1, now_ns));
    prof_processors_note(all, 0, now_ns + SECOND_NS / 2);
    CHECK_EQ(count_at(all, now_ns + SECOND_NS / 2), 3);
    /* The others are forgotten; when all are, the last one stays. */
    CHECK(!prof_processors_has(all, 3, now_ns + SECOND_NS));
    CHECK_EQ(count_at(all, now_ns + SECOND_NS), 1);
    CHECK(prof_processors_has(all, 0, now_ns + 9 * SECOND_NS));
    CHECK_EQ(count_at(all, now_ns + 9 * SECOND_NS), 1);
    free(all);
}
