/* Stacks one after the other. */
#include "tests/harness.h"

#include "exporters/stacks.h"
#include "exporters/writer.h"
#include "tests/exporters/golden.h"
#include "tests/exporters/profiles.h"

typedef void write_stacks(
    const struct prof_profile *profile, const struct exp_stacks_cost *cost,
    struct exp_writer *writer);

static void check_stacks(
    struct prof_profile *profile, write_stacks *write, const char *name)
{
    struct exp_stacks_cost cost = {.hold_count = 2, .longest_hold_ns = 70500};
    struct exp_writer *writer = exp_writer_create_memory();
    write(profile, &cost, writer);
    check_golden_writer(name, writer);
    exp_writer_destroy(writer);
    prof_profile_destroy(profile);
}

TEST(stacks_put_threads_together_that_stand_alike)
{
    check_stacks(
        profile_two_processes(), exp_stacks_write_text,
        "two-processes-stacks.txt");
    check_stacks(profile_asleep(), exp_stacks_write_text, "asleep-stacks.txt");
}

TEST(stacks_in_json_have_every_thread)
{
    check_stacks(profile_asleep(), exp_stacks_write_json, "asleep-stacks.json");
}

TEST(stacks_keep_control_characters_to_themselves)
{
    check_stacks(
        profile_ugly_names(), exp_stacks_write_text, "ugly-stacks.txt");
    check_stacks(
        profile_ugly_names(), exp_stacks_write_json, "ugly-stacks.json");
}
