/* What a backend asks not to be sent for a while. */
#include "tests/harness.h"

#include <string.h>

#include "exporters/sentry/rate_limits.h"
#include "exporters/writer.h"

#define NOW UINT64_C(1763800000000)

enum { MINUTE = 60 * 1000 };

static struct exp_rate_limits after(
    int status, const char *rate_limits, const char *retry_after)
{
    struct exp_rate_limits limits = {0};
    const struct exp_rate_answer answer = {status, rate_limits, retry_after};
    (void)exp_rate_limits_take(&limits, &answer, NOW);
    return limits;
}

/* For how long a category is held. */
static uint64_t hold(
    const struct exp_rate_limits *limits, enum exp_category category)
{
    uint64_t until_ms = limits->until_ms[category];
    CHECK_EQ(
        exp_rate_limits_hold(limits, category, NOW),
        until_ms > NOW && category != EXP_CATEGORY_INTERNAL);
    return until_ms > NOW ? until_ms - NOW : 0;
}

static void check_all(const struct exp_rate_limits *limits, uint64_t wait_ms)
{
    for (int category = 0; category < EXP_CATEGORY_COUNT; category++)
        CHECK_EQ(hold(limits, (enum exp_category)category), wait_ms);
}

TEST(rate_limits_of_categories_hold_only_those)
{
    struct exp_rate_limits limits =
        after(200, "60:error;profile_chunk:organization:quota", NULL);
    CHECK_EQ(hold(&limits, EXP_CATEGORY_ERROR), MINUTE);
    CHECK_EQ(hold(&limits, EXP_CATEGORY_PROFILE_CHUNK), MINUTE);
    CHECK_EQ(hold(&limits, EXP_CATEGORY_SESSION), 0);
}

TEST(rate_limits_come_in_lists_with_blanks_and_later_parts)
{
    struct exp_rate_limits limits = after(
        200, " 1 : error ; attachment :key:x:y:z:w ,2:session::, 3:span", NULL);
    CHECK_EQ(hold(&limits, EXP_CATEGORY_ERROR), 1000);
    CHECK_EQ(hold(&limits, EXP_CATEGORY_ATTACHMENT), 1000);
    CHECK_EQ(hold(&limits, EXP_CATEGORY_SESSION), 2000);
    CHECK_EQ(hold(&limits, EXP_CATEGORY_SPAN), 3000);
    CHECK_EQ(hold(&limits, EXP_CATEGORY_PROFILE), 0);
}

TEST(rate_limits_without_a_category_hold_all)
{
    struct exp_rate_limits limits = after(200, "60::organization", NULL);
    check_all(&limits, MINUTE);
    limits = after(200, "60", NULL);
    check_all(&limits, MINUTE);
}

TEST(rate_limits_of_unknown_categories_hold_none)
{
    struct exp_rate_limits limits = after(429, "60:teapot;kettle:key", NULL);
    check_all(&limits, 0);
    limits = after(200, "60:teapot;error:key", NULL);
    CHECK_EQ(hold(&limits, EXP_CATEGORY_ERROR), MINUTE);
    CHECK_EQ(hold(&limits, EXP_CATEGORY_SESSION), 0);
}

TEST(rate_limits_take_fractions_and_round_up)
{
    struct exp_rate_limits limits = after(200, "0.0001:error,1.5:span", NULL);
    CHECK_EQ(hold(&limits, EXP_CATEGORY_ERROR), 1);
    CHECK_EQ(hold(&limits, EXP_CATEGORY_SPAN), 1500);
}

TEST(rate_limits_keep_the_longer_one)
{
    const struct exp_rate_answer shorter = {200, "10:error,90:span", NULL};
    struct exp_rate_limits limits = after(200, "60:error;span", NULL);
    CHECK(exp_rate_limits_take(&limits, &shorter, NOW));
    CHECK_EQ(hold(&limits, EXP_CATEGORY_ERROR), MINUTE);
    CHECK_EQ(hold(&limits, EXP_CATEGORY_SPAN), 90 * 1000);
    CHECK(!exp_rate_limits_take(&limits, &shorter, NOW));
}

TEST(rate_limits_header_goes_before_retry_after)
{
    struct exp_rate_limits limits = after(429, "5:error", "600");
    CHECK_EQ(hold(&limits, EXP_CATEGORY_ERROR), 5000);
    CHECK_EQ(hold(&limits, EXP_CATEGORY_SESSION), 0);
}

TEST(rate_limits_without_a_header_are_retry_after_or_a_minute)
{
    struct exp_rate_limits limits = after(429, NULL, "7");
    check_all(&limits, 7000);
    limits = after(429, NULL, NULL);
    check_all(&limits, MINUTE);
    limits = after(429, "nonsense:error", "soon");
    check_all(&limits, MINUTE);
    limits = after(429, NULL, "Sat, 22 Nov 2025 08:26:50 GMT");
    check_all(&limits, 10000);
    limits = after(200, NULL, "7");
    check_all(&limits, 0);
    limits = after(503, NULL, "7");
    check_all(&limits, 0);
}

TEST(rate_limits_are_a_day_at_most)
{
    struct exp_rate_limits limits =
        after(200, "1e9:error,99999999999999999999999:span,-5:session", NULL);
    CHECK_EQ(hold(&limits, EXP_CATEGORY_ERROR), 0);
    CHECK_EQ(hold(&limits, EXP_CATEGORY_SPAN), EXP_RATE_LIMIT_MAX_MS);
    CHECK_EQ(hold(&limits, EXP_CATEGORY_SESSION), 0);
    limits = after(429, NULL, "Sat, 22 Nov 2036 08:26:50 GMT");
    check_all(&limits, EXP_RATE_LIMIT_MAX_MS);
}

TEST(rate_limits_come_back_from_their_text)
{
    struct exp_rate_limits limits = after(200, "60:error,1:session", NULL);
    struct exp_rate_limits again;
    struct exp_writer *writer = exp_writer_create_memory();
    size_t count = 0;
    exp_rate_limits_write(&limits, writer);
    exp_rate_limits_read(&again, exp_writer_bytes(writer, &count), NOW);
    CHECK(memcmp(&limits, &again, sizeof limits) == 0);
    exp_writer_destroy(writer);
}

TEST(rate_limits_of_a_damaged_or_future_text_hold_a_day_at_most)
{
    struct exp_rate_limits limits;
    exp_rate_limits_read(
        &limits, "nonsense\nerror 99999999999999999\nteapot 5\nspan x\n", NOW);
    CHECK_EQ(hold(&limits, EXP_CATEGORY_ERROR), EXP_RATE_LIMIT_MAX_MS);
    CHECK_EQ(hold(&limits, EXP_CATEGORY_SPAN), 0);
    exp_rate_limits_read(&limits, NULL, NOW);
    check_all(&limits, 0);
}
