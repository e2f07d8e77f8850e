/* How long an index is waited for. */
#include "symbolizer/patience.h"

#include "symbolizer/survey.h"

/* However short or long the command has lived. */
#define PATIENCE_MIN_NS UINT64_C(200000000)
#define PATIENCE_MAX_NS UINT64_C(2000000000)

/* How long the making may go without a processor. */
#define STARVED_NS      UINT64_C(20000000)

/* Whether the present index gets less than a quarter of a processor. */
static bool is_starved(const struct sym_patience *patience)
{
    uint64_t now = patience->now_ns, begun = patience->begun_ns;
    if (begun == 0)
        begun = patience->asked_ns;
    return now >= begun + STARVED_NS && patience->knows_used &&
           patience->used_ns < (now - begun) / 4;
}

/* What the present index still takes, by what it has taken; 0: unknown. */
static uint64_t remaining_ns(const struct sym_patience *patience)
{
    if (patience->done < SYM_SURVEY_WHOLE / 50 ||
        patience->begun_ns >= patience->now_ns)
        return 0;
    return (patience->now_ns - patience->begun_ns) *
           (SYM_SURVEY_WHOLE - patience->done) / patience->done;
}

uint64_t sym_patience_end_ns(const struct sym_patience *patience)
{
    uint64_t lived = patience->now_ns - patience->asked_ns;
    if (lived < PATIENCE_MIN_NS)
        lived = PATIENCE_MIN_NS;
    return patience->now_ns +
           (lived < PATIENCE_MAX_NS ? lived : PATIENCE_MAX_NS);
}

bool sym_patience_lasts(const struct sym_patience *patience, uint64_t end_ns)
{
    return !is_starved(patience) &&
           patience->now_ns + remaining_ns(patience) < end_ns;
}
