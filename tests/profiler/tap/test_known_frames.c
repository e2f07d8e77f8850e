/* The outer frames of a thread, as they were seen before. */
#include "tests/harness.h"

#include "profiler/tap/known_frames.h"

enum { FRAMES_MAX = 16 };

/* Frames by their names, a letter each. */
static uint32_t words_of(const char *names, uint64_t *words)
{
    uint32_t count = 0;
    for (; names[count] != '\0'; count++)
        words[count] = (uint64_t)names[count];
    return count;
}

static void note(
    struct prof_known_frames *known, const char *names, uint64_t time_ns,
    uint64_t sample_ns)
{
    uint64_t words[FRAMES_MAX];
    uint32_t count = words_of(names, words);
    prof_known_frames_note(known, words, count, time_ns, sample_ns);
}

static bool holds(
    const struct prof_known_frames *known, const char *names, uint32_t first,
    uint64_t time_ns)
{
    uint64_t words[FRAMES_MAX];
    uint32_t count = words_of(names, words);
    return prof_known_frames_hold(known, words + first, count - first, time_ns);
}

TEST(frames_hold_that_were_seen_before_whatever_is_inside_them)
{
    struct prof_known_frames known = {0};
    CHECK(!holds(&known, "xyzabc", 3, 100));
    note(&known, "deabc", 50, 49);
    CHECK(holds(&known, "xyzabc", 3, 100));
    CHECK(!holds(&known, "xyzabc", 2, 100));
    CHECK(!holds(&known, "xyzabd", 3, 100));
    CHECK(!holds(&known, "xydeabc", 1, 100));
    prof_known_frames_fini(&known);
}

TEST(a_look_from_after_the_sample_is_no_evidence)
{
    struct prof_known_frames known = {0};
    note(&known, "deabc", 200, 49);
    CHECK(!holds(&known, "xyzabc", 3, 100));
    CHECK(holds(&known, "xyzabc", 3, 200));
    prof_known_frames_fini(&known);
}

TEST(samples_taken_out_at_once_keep_the_look_from_before_them)
{
    struct prof_known_frames known = {0};
    note(&known, "abc", 50, 49);
    note(&known, "ddd", 200, 100);
    note(&known, "ddd", 201, 110);
    note(&known, "ddd", 202, 120);
    CHECK(holds(&known, "xabc", 1, 130));
    CHECK(!holds(&known, "xddd", 1, 130));
    CHECK(holds(&known, "xddd", 1, 300));
    note(&known, "eee", 400, 300);
    CHECK(holds(&known, "xddd", 1, 310));
    CHECK(holds(&known, "xeee", 1, 400));
    prof_known_frames_fini(&known);
}
