/* An envelope as it goes out. */
#include "tests/harness.h"

#include <stdlib.h>
#include <string.h>

#include "exporters/sentry/request.h"

#define NOW UINT64_C(1763800000123)

/* What is sent of an envelope, unpacked; "" when nothing is. */
static char *sent(
    const char *envelope, enum exp_category held,
    const struct exp_discards *discards, struct exp_request *request)
{
    struct exp_rate_limits limits = {0};
    struct exp_block unpacked = {0};
    const struct exp_block bytes = {(char *)envelope, strlen(envelope)};
    if (held != EXP_CATEGORY_COUNT)
        limits.until_ms[held] = NOW + 1;
    CHECK_OK(exp_request_make(request, &bytes, &limits, discards, NOW));
    if (request->packed.bytes == NULL)
        return strdup("");
    CHECK_OK(exp_gzip_unpack(
        request->packed.bytes, request->packed.count, 1 << 20, &unpacked));
    char *text = strndup(unpacked.bytes, unpacked.count);
    free(unpacked.bytes);
    return text;
}

static void check_sent(
    const char *envelope, enum exp_category held, const char *wanted)
{
    struct exp_request request;
    char *text = sent(envelope, held, NULL, &request);
    CHECK_STR(text, wanted);
    free(text);
    exp_request_fini(&request);
}

TEST(request_says_once_when_it_is_sent)
{
    check_sent(
        "{\"a\":{\"b\":[1]},\"sent_at\":\"2020-01-01T00:00:00Z\"}\n"
        "{\"type\":\"session\",\"length\":2}\n{}\n",
        EXP_CATEGORY_COUNT,
        "{\"a\":{\"b\":[1]},\"sent_at\":\"2025-11-22T08:26:40.123Z\"}\n"
        "{\"type\":\"session\",\"length\":2}\n{}\n");
}

TEST(request_leaves_the_dsn_to_the_auth_header)
{
    check_sent(
        "{\"dsn\":\"https://other@host/1\"}\n{\"type\":\"session\"}\n{}",
        EXP_CATEGORY_COUNT,
        "{\"sent_at\":\"2025-11-22T08:26:40.123Z\"}\n"
        "{\"type\":\"session\"}\n{}\n");
}

TEST(request_leaves_limited_items_out_and_counts_them)
{
    struct exp_request request;
    char *text = sent(
        "{}\n{\"type\":\"event\"}\n{}\n{\"type\":\"session\"}\n{}\n",
        EXP_CATEGORY_SESSION, NULL, &request);
    CHECK(strstr(text, "event") != NULL);
    CHECK(strstr(text, "session") == NULL);
    CHECK_EQ(
        request.held
            .counts[EXP_DISCARD_RATELIMIT_BACKOFF][EXP_CATEGORY_SESSION],
        1);
    free(text);
    exp_request_fini(&request);
}

TEST(request_leaves_an_attachment_out_with_its_event)
{
    struct exp_request request;
    char *text = sent(
        "{}\n{\"type\":\"attachment\"}\n12345\n{\"type\":\"event\"}\n{}\n"
        "{\"type\":\"session\"}\n{}\n",
        EXP_CATEGORY_ERROR, NULL, &request);
    CHECK(strstr(text, "session") != NULL);
    CHECK(strstr(text, "attachment") == NULL);
    CHECK_EQ(
        request.held
            .counts[EXP_DISCARD_RATELIMIT_BACKOFF][EXP_CATEGORY_ATTACHMENT],
        5);
    free(text);
    exp_request_fini(&request);
}

TEST(request_of_nothing_but_limited_items_is_none)
{
    struct exp_request request;
    char *text = sent(
        "{}\n{\"type\":\"session\"}\n{}\n", EXP_CATEGORY_SESSION, NULL,
        &request);
    CHECK_STR(text, "");
    free(text);
    exp_request_fini(&request);
}

TEST(request_takes_a_client_report_along_that_is_not_too_long)
{
    struct exp_request request;
    struct exp_discards discards;
    for (int reason = 0; reason < EXP_DISCARD_COUNT; reason++) {
        for (int category = 0; category < EXP_CATEGORY_COUNT; category++)
            discards.counts[reason][category] = UINT64_MAX / 2;
    }
    char *text = sent(
        "{}\n{\"type\":\"session\",\"length\":2}\n{}\n", EXP_CATEGORY_COUNT,
        &discards, &request);
    const char *report = strstr(text, "\"client_report\",\"length\":");
    CHECK(report != NULL);
    CHECK(strtoul(strchr(report, ':') + 1, NULL, 10) > 2000);
    CHECK(strtoul(strchr(report, ':') + 1, NULL, 10) <= 4096);
    free(text);
    exp_request_fini(&request);
    /* What was told is taken away, and the rest is told later. */
    exp_discards_subtract(&discards, &request.report);
    CHECK(!exp_discards_is_empty(&discards));
    text = sent(
        "{}\n{\"type\":\"session\",\"length\":2}\n{}\n", EXP_CATEGORY_COUNT,
        &request.held, &request);
    CHECK(strstr(text, "client_report") == NULL);
    free(text);
    exp_request_fini(&request);
}

TEST(gzip_refuses_what_is_damaged_cut_short_or_too_large)
{
    struct exp_block packed, unpacked;
    static const char zeros[100000];
    CHECK_OK(exp_gzip_pack(zeros, sizeof zeros, &packed));
    CHECK(packed.count < 1000);
    CHECK_OK(
        exp_gzip_unpack(packed.bytes, packed.count, sizeof zeros, &unpacked));
    CHECK_EQ(unpacked.count, sizeof zeros);
    free(unpacked.bytes);
    CHECK_EQ(
        exp_gzip_unpack(
            packed.bytes, packed.count, sizeof zeros - 1, &unpacked),
        STATUS_LIMIT);
    CHECK_EQ(
        exp_gzip_unpack(
            packed.bytes, packed.count - 1, sizeof zeros, &unpacked),
        STATUS_MALFORMED);
    packed.bytes[packed.count - 5] ^= 1; /* the checksum */
    CHECK_EQ(
        exp_gzip_unpack(packed.bytes, packed.count, sizeof zeros, &unpacked),
        STATUS_MALFORMED);
    CHECK_EQ(exp_gzip_unpack("", 0, 100, &unpacked), STATUS_MALFORMED);
    free(packed.bytes);
}
