/* How long an index is waited for. */
#include "tests/harness.h"

#include "symbolizer/patience.h"
#include "symbolizer/survey.h"

#define MS UINT64_C(1000000)

/* Asked for at 1 s; the present one begun at 2 s, now it is 2.1 s. */
static struct sym_patience at_work(unsigned done, uint64_t used_ns)
{
    return (struct sym_patience){
        .now_ns = 2100 * MS,
        .asked_ns = 1000 * MS,
        .begun_ns = 2000 * MS,
        .done = done,
        .knows_used = true,
        .used_ns = used_ns};
}

TEST(patience_is_as_long_as_the_command_has_lived_within_bounds)
{
    struct sym_patience patience = at_work(0, 0);
    CHECK_EQ(sym_patience_end_ns(&patience), 3200 * MS);
    patience.asked_ns = 2090 * MS;
    CHECK_EQ(sym_patience_end_ns(&patience), 2300 * MS);
    patience.now_ns = 60000 * MS;
    CHECK_EQ(sym_patience_end_ns(&patience), 62000 * MS);
}

TEST(patience_lasts_for_what_comes_in_time)
{
    /* A tenth in 0.1 s: 0.9 s to go, to 3.0 s. */
    struct sym_patience patience = at_work(SYM_SURVEY_WHOLE / 10, 100 * MS);
    CHECK(sym_patience_lasts(&patience, 3001 * MS));
    CHECK(!sym_patience_lasts(&patience, 3000 * MS));
    /* Too little is done to tell. */
    patience.done = 1;
    CHECK(sym_patience_lasts(&patience, 2101 * MS));
    CHECK(!sym_patience_lasts(&patience, 2100 * MS));
}

TEST(patience_ends_where_no_processor_is_given)
{
    struct sym_patience patience = at_work(SYM_SURVEY_WHOLE / 2, 24 * MS);
    CHECK(!sym_patience_lasts(&patience, 9000 * MS));
    patience.used_ns = 25 * MS;
    CHECK(sym_patience_lasts(&patience, 9000 * MS));
    patience.used_ns = 0;
    patience.knows_used = false;
    CHECK(sym_patience_lasts(&patience, 9000 * MS));
    /* Not begun: since it was asked for. */
    patience.knows_used = true;
    patience.begun_ns = 0;
    CHECK(!sym_patience_lasts(&patience, 9000 * MS));
    patience.now_ns = 1019 * MS;
    CHECK(sym_patience_lasts(&patience, 9000 * MS));
}
