/* The profile model. */
#include "tests/harness.h"

#include <stdio.h>

#include "profiler/model/profile.h"

TEST(profile_interns_strings_and_keeps_the_empty_one_at_zero)
{
    struct prof_profile *p = prof_profile_create();
    CHECK_EQ(prof_profile_string(p, ""), 0);
    uint32_t a = prof_profile_string(p, "main");
    CHECK_EQ(prof_profile_string_n(p, "main()", 4), a);
    CHECK(prof_profile_string(p, "mai") != a);
    CHECK_STR(prof_profile_text(p, a), "main");
    CHECK_STR(prof_profile_text(p, PROF_NONE), "");
    prof_profile_destroy(p);
}

TEST(profile_notes_a_sentence_once)
{
    struct prof_profile *p = prof_profile_create();
    prof_profile_add_note(p, "a child was static");
    prof_profile_add_note(p, "a thread had no timer");
    prof_profile_add_note(p, "a child was static");
    prof_profile_add_note(p, "");
    CHECK_EQ(prof_profile_note_count(p), 2);
    CHECK_STR(
        prof_profile_text(p, prof_profile_note(p, 1)->text),
        "a thread had no timer");
    prof_profile_destroy(p);
}

TEST(profile_strings_survive_growth)
{
    struct prof_profile *p = prof_profile_create();
    char text[32];
    uint32_t ids[5000];
    for (int i = 0; i < 5000; i++) {
        (void)snprintf(text, sizeof text, "function_%d", i);
        ids[i] = prof_profile_string(p, text);
    }
    for (int i = 0; i < 5000; i++) {
        (void)snprintf(text, sizeof text, "function_%d", i);
        CHECK_STR(prof_profile_text(p, ids[i]), text);
        CHECK_EQ(prof_profile_string(p, text), ids[i]);
    }
    prof_profile_destroy(p);
}

TEST(profile_interns_frames_by_module_and_offset)
{
    struct prof_profile *p = prof_profile_create();
    struct prof_module module = {
        .kind = PROF_MODULE_FILE, .path = prof_profile_string(p, "/bin/x")};
    uint32_t m = prof_profile_add_module(p, &module);
    CHECK_EQ(prof_profile_add_module(p, &module), m);
    module.build_id_bytes = 1;
    CHECK(prof_profile_add_module(p, &module) != m);

    uint32_t f = prof_profile_add_native_frame(p, m, 0x1234);
    CHECK_EQ(prof_profile_add_native_frame(p, m, 0x1234), f);
    CHECK(prof_profile_add_native_frame(p, m, 0x1235) != f);
    CHECK(
        prof_profile_add_named_frame(p, PROF_FRAME_NAMED, "f") !=
        prof_profile_add_named_frame(p, PROF_FRAME_ACCOUNT, "f"));
    prof_profile_destroy(p);
}

TEST(profile_stacks_share_their_callers_and_know_their_depth)
{
    struct prof_profile *p = prof_profile_create();
    uint32_t a = prof_profile_add_named_frame(p, PROF_FRAME_NAMED, "a");
    uint32_t b = prof_profile_add_named_frame(p, PROF_FRAME_NAMED, "b");
    uint32_t root = prof_profile_add_stack(p, PROF_NONE, a);
    uint32_t leaf = prof_profile_add_stack(p, root, b);
    CHECK_EQ(prof_profile_add_stack(p, root, b), leaf);
    CHECK(prof_profile_add_stack(p, PROF_NONE, b) != leaf);
    CHECK_EQ(prof_profile_stack(p, leaf)->depth, 2);
    CHECK_EQ(prof_profile_stack(p, leaf)->parent, root);
    prof_profile_destroy(p);
}

TEST(profile_labels_an_address_without_a_symbol_by_module_and_offset)
{
    struct prof_profile *p = prof_profile_create();
    struct prof_module module = {
        .path = prof_profile_string(p, "/usr/lib/libz.so.1")};
    uint32_t m = prof_profile_add_module(p, &module);
    uint32_t f = prof_profile_add_native_frame(p, m, 0xbeef);
    char buffer[64];
    CHECK_STR(
        prof_profile_frame_label(p, f, 0, buffer, sizeof buffer),
        "[libz.so.1+0xbeef]");
    CHECK_EQ(prof_profile_frame_depth(p, f), 1);

    struct prof_line lines[2] = {
        {.function = prof_profile_string(p, "inner"), .is_inlined = true},
        {.function = prof_profile_string(p, "outer")}};
    prof_profile_set_lines(p, f, lines, 2);
    CHECK_EQ(prof_profile_frame_depth(p, f), 2);
    CHECK_STR(
        prof_profile_frame_label(p, f, 1, buffer, sizeof buffer), "outer");
    prof_profile_destroy(p);
}

TEST(profile_counts_losses_by_reason)
{
    struct prof_profile *p = prof_profile_create();
    prof_profile_add_loss(p, PROF_LOSS_RING_FULL, 2);
    prof_profile_add_loss(p, PROF_LOSS_RING_FULL, 3);
    CHECK_EQ(prof_profile_loss(p, PROF_LOSS_RING_FULL), 5);
    CHECK_EQ(prof_profile_loss(p, PROF_LOSS_CUT), 0);
    CHECK_STR(prof_loss_text(PROF_LOSS_RING_FULL), "ring full");
    prof_profile_destroy(p);
}

TEST(profile_forgets_samples_that_are_older_than_a_window)
{
    struct prof_profile *p = prof_profile_create();
    struct prof_process process = {.pid = 1};
    struct prof_thread thread = {
        .process = prof_profile_add_process(p, &process), .tid = 1};
    struct prof_sample sample = {
        .thread = prof_profile_add_thread(p, &thread), .stack = PROF_NONE};
    for (uint64_t time_ns = 10; time_ns <= 50; time_ns += 10) {
        sample.time_ns = time_ns;
        (void)prof_profile_add_sample(p, &sample);
    }
    prof_profile_forget_samples(p, 30);
    CHECK_EQ(prof_profile_sample_count(p), 3);
    CHECK_EQ(prof_profile_sample(p, 0)->time_ns, 30);
    CHECK_EQ(prof_profile_sample(p, 2)->time_ns, 50);
    CHECK_EQ(prof_profile_added_count(p), 5);

    prof_profile_forget_samples(p, 0);
    CHECK_EQ(prof_profile_sample_count(p), 3);
    prof_profile_forget_samples(p, UINT64_MAX);
    CHECK_EQ(prof_profile_sample_count(p), 0);
    prof_profile_destroy(p);
}
