/* Text as people read it. */
#include "tests/harness.h"

#include <string.h>

#include "exporters/names.h"
#include "exporters/text.h"

static void check_value(uint64_t value, const char *unit, const char *wanted)
{
    char buffer[EXP_TEXT_VALUE_BYTES];
    CHECK_STR(exp_text_value(value, unit, buffer), wanted);
}

TEST(text_values_have_four_digits_and_the_unit_that_fits)
{
    check_value(0, "nanoseconds", "0 ns");
    check_value(999, "nanoseconds", "999 ns");
    check_value(1000, "nanoseconds", "1.000 us");
    check_value(12345, "nanoseconds", "12.35 us");
    check_value(999960, "nanoseconds", "1.000 ms");
    check_value(1234567890, "nanoseconds", "1.235 s");
    check_value(UINT64_MAX, "nanoseconds", "18446744074 s");
    check_value(1536, "bytes", "1.500 KiB");
    check_value(1023, "bytes", "1023 B");
    check_value(42, "count", "42");
}

TEST(text_reads_utf8_and_replaces_what_is_not)
{
    const char *text = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\xa5"
                       "\xff\xc0\xaf\xed\xa0\x80\xe2\x82";
    static const uint32_t wanted[] = {'a',    0xe9,   0x20ac, 0x1f525,
                                      0xfffd, 0xfffd, 0xfffd, 0xfffd,
                                      0xfffd, 0xfffd, 0xfffd, 0xfffd};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        CHECK_EQ(exp_text_next(&text), wanted[i]);
    CHECK_EQ(exp_text_next(&text), 0);
    CHECK_EQ(exp_text_next(&text), 0);
}

TEST(text_encodes_what_it_reads)
{
    static const uint32_t code_points[] = {1,     0x7f,   0x80,    0x7ff,
                                           0x800, 0xfffd, 0x10000, 0x10ffff};
    for (size_t i = 0; i < sizeof code_points / sizeof code_points[0]; i++) {
        char bytes[EXP_TEXT_UTF8_BYTES + 1] = {0};
        size_t count = exp_text_encode(code_points[i], bytes);
        const char *at = bytes;
        CHECK_EQ(exp_text_next(&at), code_points[i]);
        CHECK_EQ((size_t)(at - bytes), count);
    }
}

TEST(text_is_plain_up_to_the_first_byte_that_is_not_printable_ascii)
{
    char text[] = "ab~ x";
    CHECK_EQ(exp_text_plain(text), 5);
    for (int byte = -128; byte < 128; byte++) {
        text[3] = (char)byte;
        bool is_plain = byte >= ' ' && byte <= '~';
        CHECK_EQ(exp_text_plain(text), is_plain ? 5 : 3);
        /* What is plain stays as it is. */
        CHECK(!is_plain || exp_text_clean((uint32_t)byte) == (uint32_t)byte);
    }
}

TEST(text_counts_columns_and_cuts_between_characters)
{
    const char *text = "ab\xe5\x87\xbd\xe6\x95\xb0"
                       "c\xcc\x81"
                       "d";
    CHECK_EQ(exp_text_columns(text), 8);
    CHECK_EQ(exp_text_fit(text, 8), strlen(text));
    CHECK_EQ(exp_text_fit(text, 2), 2);
    CHECK_EQ(exp_text_fit(text, 3), 2); /* half a wide one does not fit */
    CHECK_EQ(exp_text_fit(text, 4), 5);
    CHECK_EQ(exp_text_fit(text, 7), 11); /* the accent stays with its c */
    CHECK_EQ(exp_text_fit(text, 0), 0);
    CHECK_EQ(exp_text_fit("", 0), 0);
}

TEST(text_sums_stop_at_the_largest_number)
{
    CHECK_EQ(exp_text_add(1, 2), 3);
    CHECK(exp_text_add(UINT64_MAX - 1, 1) == UINT64_MAX);
    CHECK(exp_text_add(UINT64_MAX / 2 + 1, UINT64_MAX / 2 + 1) == UINT64_MAX);
}

TEST(text_percent_of_nothing_is_nothing)
{
    CHECK(exp_text_percent(0, 0) == 0.0);
    CHECK(exp_text_percent(1, 4) == 25.0);
}

TEST(names_are_clean_and_interned_by_what_they_become)
{
    struct exp_names names;
    exp_names_init(&names);
    uint32_t id = exp_names_add(
        &names, "a\x01"
                "b\nc");
    CHECK_STR(
        exp_names_text(&names, id), "a\xef\xbf\xbd"
                                    "b c");
    CHECK_EQ(
        exp_names_add(
            &names, "a\x02"
                    "b\tc"),
        id);
    uint32_t other = exp_names_add(&names, "other");
    CHECK(other != id);
    CHECK_EQ(exp_names_add(&names, "other"), other);
    CHECK_EQ(exp_names_add(&names, ""), 2);
    CHECK_STR(exp_names_text(&names, 2), "");
    exp_names_fini(&names);
}
