/* What all processes that are sampled from outside share. */
#include "profiler/tap/common.h"

void prof_tap_common_init(
    struct prof_tap_common *common, struct prof_profile *profile,
    uint64_t period_ns, bool is_wall)
{
    uint32_t wall = PROF_NONE; /* the event that was asked for comes first */
    if (is_wall)
        wall = prof_profile_add_value_type(profile, "wall", "nanoseconds");
    *common = (struct prof_tap_common){
        .profile = profile,
        .period_ns = period_ns,
        .rests = {.row_bytes = sizeof(struct prof_tap_rest)},
        .is_wall = is_wall,
        .value_wall = wall,
        .value_cpu = prof_profile_add_value_type(profile, "cpu", "nanoseconds"),
        .value_samples =
            prof_profile_add_value_type(profile, "samples", "count")};
    prof_build_ids_init(&common->build_ids);
    prof_image_cache_init(&common->images);
    prof_looks_common_init(&common->looks, period_ns);
}

void prof_tap_common_fini(struct prof_tap_common *common)
{
    prof_image_cache_fini(&common->images);
    prof_looks_common_fini(&common->looks);
    prof_build_ids_fini(&common->build_ids);
    table_fini(&common->rests);
}
