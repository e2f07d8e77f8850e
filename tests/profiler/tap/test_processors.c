/* Whose turn it is. */
#include "tests/harness.h"

#include <stdlib.h>

#include "profiler/tap/processors.h"

#define SECOND_NS UINT64_C(1000000000)

TEST(processors_take_turns_while_somebody_is_seen_there)
{
    struct prof_processors *all = calloc(1, sizeof *all);
    uint64_t now_ns = 5 * SECOND_NS;
    CHECK_EQ(prof_processors_count(all, now_ns), 1);
    prof_processors_note(all, 3, now_ns);
    prof_processors_note(all, PROF_PROCESSORS_MOST - 1, now_ns);
    prof_processors_note(all, PROF_PROCESSORS_MOST, now_ns); /* too many */
    prof_processors_note(all, UINT32_MAX, now_ns);           /* not known */
    CHECK_EQ(prof_processors_count(all, now_ns), 2);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(prof_processors_next(all, now_ns), 3);
        CHECK_EQ(prof_processors_next(all, now_ns), PROF_PROCESSORS_MOST - 1);
    }
    prof_processors_note(all, 0, now_ns + SECOND_NS / 2);
    CHECK_EQ(prof_processors_next(all, now_ns + SECOND_NS / 2), 0);
    /* The others are forgotten; when all are, the last one stays. */
    CHECK_EQ(prof_processors_next(all, now_ns + SECOND_NS), 0);
    CHECK_EQ(prof_processors_count(all, now_ns + SECOND_NS), 1);
    CHECK_EQ(prof_processors_next(all, now_ns + 9 * SECOND_NS), 0);
    CHECK_EQ(prof_processors_count(all, now_ns + 9 * SECOND_NS), 1);
    free(all);
}
