/* The samples of a profile: single ones, and the sums of what went by. */
#include "profiler/model/profile_model.h"

uint32_t prof_profile_add_sample(
    struct prof_profile *profile, const struct prof_sample *sample)
{
    if (sample->thread == PROF_NONE)
        return PROF_NONE;
    struct prof_sample row = *sample;
    row.count += row.count == 0;
    if (prof_profile_add_row(profile, &profile->samples.single, &row) ==
        PROF_NONE)
        return PROF_NONE;
    return prof_profile_sample_count(profile) - 1;
}

void prof_profile_sum_samples(struct prof_profile *profile, bool threads_apart)
{
    prof_profile_sum_samples_before(profile, UINT64_MAX, threads_apart);
}

void prof_profile_sum_samples_before(
    struct prof_profile *profile, uint64_t before, bool threads_apart)
{
    struct prof_samples *samples = &profile->samples;
    uint32_t count = samples->single.count;
    if (before < samples->summed_count)
        return;
    if (before - samples->summed_count < count)
        count = (uint32_t)(before - samples->summed_count);
    if (!prof_samples_sum(samples, count, &profile->thread, threads_apart))
        (void)prof_profile_give_up(profile);
}

void prof_profile_forget_samples(
    struct prof_profile *profile, uint64_t before_ns)
{
    prof_samples_forget(&profile->samples, before_ns);
}

uint64_t prof_profile_added_count(const struct prof_profile *profile)
{
    return profile->samples.summed_count + profile->samples.single.count;
}

uint64_t prof_profile_summed_count(const struct prof_profile *profile)
{
    return profile->samples.summed_count;
}

const struct prof_sample *prof_profile_added_sample(
    const struct prof_profile *profile, uint64_t number)
{
    return table_row(
        &profile->samples.single,
        (uint32_t)(number - profile->samples.summed_count));
}

/* Sums first, then what has come since. */
uint32_t prof_profile_sample_count(const struct prof_profile *profile)
{
    return profile->samples.sum.count + profile->samples.single.count;
}

const struct prof_sample *prof_profile_sample(
    const struct prof_profile *profile, uint32_t id)
{
    uint32_t sums = profile->samples.sum.count;
    return id < sums ? table_row(&profile->samples.sum, id)
                     : table_row(&profile->samples.single, id - sums);
}
