/* What no sample of a process covers; see the header. */
#include "profiler/collector/account_rest.h"

static uint64_t take(uint64_t *from, uint64_t wanted)
{
    uint64_t taken = wanted < *from ? wanted : *from;
    *from -= taken;
    return taken;
}

struct prof_account_rest prof_account_close(
    const struct prof_account *account, uint64_t total_ns, uint64_t exit_ns,
    uint64_t late_ns)
{
    struct prof_account_rest rest = {0};
    uint64_t before_ns = account->earlier_ns < account->startup_ns
                             ? account->startup_ns - account->earlier_ns
                             : 0;
    if (account->earlier_ns > 0)
        rest.exec_ns = before_ns;
    else
        rest.startup_ns = before_ns;

    uint64_t known_ns =
        account->startup_ns + account->rested_ns + account->given_ns;
    uint64_t left_ns = total_ns > known_ns ? total_ns - known_ns : 0;
    if (exit_ns > 0 && total_ns > exit_ns + late_ns)
        rest.exit_ns = take(&left_ns, total_ns - exit_ns - late_ns);
    rest.unsampled_ns = left_ns;
    return rest;
}

void prof_account_add_rest(
    struct prof_profile *profile, const char *name, struct prof_sample *sample)
{
    if (sample->state == PROF_STATE_UNKNOWN)
        sample->state = PROF_STATE_ON_CPU;
    sample->stack = prof_profile_add_stack(
        profile, PROF_NONE,
        prof_profile_add_named_frame(profile, PROF_FRAME_ACCOUNT, name));
    (void)prof_profile_add_sample(profile, sample);
}
