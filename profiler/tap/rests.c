/* Closing the accounts of all that was watched; see the header. */
#include "profiler/tap/rests.h"

#include "profiler/collector/account_rest.h"
#include "profiler/tap/process.h"

struct sums {
    uint64_t known_ns; /* used, or given where that is more is all we know */
    uint64_t given_ns;
    uint64_t left_ns; /* of those who have any */
};

static uint64_t left_of(const struct prof_tap_rest *rest)
{
    return rest->used_ns > rest->given_ns ? rest->used_ns - rest->given_ns : 0;
}

static struct sums sum_up(const struct prof_tap_common *common)
{
    struct sums sums = {0};
    for (uint32_t i = 0; i < common->rests.count; i++) {
        const struct prof_tap_rest *rest = table_row(&common->rests, i);
        sums.known_ns += rest->used_ns > 0 ? rest->used_ns : rest->given_ns;
        sums.given_ns += rest->given_ns;
        sums.left_ns += left_of(rest);
    }
    return sums;
}

static void add_unsampled(
    const struct prof_tap_common *common, const struct prof_tap_rest *rest,
    uint64_t value_ns)
{
    if (value_ns == 0 || rest->thread == PROF_NONE)
        return;
    struct prof_sample sample = {
        .time_ns = rest->time_ns, .thread = rest->thread};
    sample.values[common->value_cpu] = value_ns;
    if (common->is_wall)
        sample.values[common->value_wall] = value_ns;
    prof_account_add_rest(common->profile, "[unsampled]", &sample);
}

void prof_tap_rests_close(
    struct prof_tap_common *common, uint64_t kernel_ns, uint64_t count_ns)
{
    struct prof_profile *profile = common->profile;
    struct sums sums = sum_up(common);
    if (kernel_ns == 0)
        kernel_ns = common->unread_count > 0 && count_ns > sums.known_ns
                        ? count_ns
                        : sums.known_ns;
    uint64_t left_ns =
        kernel_ns > sums.given_ns ? kernel_ns - sums.given_ns : 0;
    double share =
        sums.left_ns > left_ns ? (double)left_ns / (double)sums.left_ns : 1;
    for (uint32_t i = 0; i < common->rests.count; i++) {
        const struct prof_tap_rest *rest = table_row(&common->rests, i);
        uint64_t mine_ns = (uint64_t)(share * (double)left_of(rest));
        add_unsampled(common, rest, mine_ns);
        left_ns -= mine_ns < left_ns ? mine_ns : left_ns;
        if (rest->process != PROF_NONE)
            prof_profile_edit_process(profile, rest->process)->cpu_ns +=
                rest->given_ns + mine_ns;
    }
    /* Of processes that came and went between two looks. */
    if (common->rests.count > 0 && sums.left_ns < left_ns)
        add_unsampled(common, table_row(&common->rests, 0), left_ns);
    prof_profile_origin(profile)->cpu_ns = kernel_ns;
}
