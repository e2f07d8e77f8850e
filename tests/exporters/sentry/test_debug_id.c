/* Debug ids, by vectors of Sentry's own tools and documents. */
#include "tests/harness.h"

#include <string.h>

#include "exporters/sentry/debug_id.h"

TEST(debug_id_of_a_build_id_is_what_sentry_cli_prints)
{
    static const uint8_t build_id[] = {0x15, 0xdf, 0xff, 0x32, 0x39, 0xaa, 0x7c,
                                       0x3b, 0x16, 0xa7, 0x1e, 0x6b, 0x2e, 0x3b,
                                       0x6e, 0x40, 0x09, 0xda, 0xb9, 0x98};
    char text[EXP_DEBUG_ID_BYTES];
    CHECK_STR(
        exp_debug_id_of_build_id(build_id, sizeof build_id, text),
        "32ffdf15-aa39-3b7c-16a7-1e6b2e3b6e40");
}

TEST(debug_id_of_a_build_id_is_what_the_documents_say)
{
    static const uint8_t build_id[] = {0xf1, 0xc3, 0xbc, 0xc0, 0x27, 0x98, 0x65,
                                       0xfe, 0x30, 0x58, 0x40, 0x4b, 0x28, 0x31,
                                       0xd9, 0xe6, 0x41, 0x35, 0x38, 0x6c};
    char text[EXP_DEBUG_ID_BYTES];
    CHECK_STR(
        exp_debug_id_of_build_id(build_id, sizeof build_id, text),
        "c0bcc3f1-9827-fe65-3058-404b2831d9e6");
}

TEST(debug_id_of_a_short_build_id_is_filled_up)
{
    static const uint8_t build_id[] = {1, 2, 3, 4, 5, 6, 7, 8};
    char text[EXP_DEBUG_ID_BYTES];
    CHECK_STR(
        exp_debug_id_of_build_id(build_id, sizeof build_id, text),
        "04030201-0605-0807-0000-000000000000");
    CHECK_STR(exp_debug_id_of_build_id(build_id, 0, text), "");
}

TEST(debug_id_of_code_xors_its_first_4096_bytes_in_lanes)
{
    uint8_t code[5000];
    memset(code, 0, sizeof code);
    code[0] = 0x11;
    code[16] = 0x22;
    code[4095] = 0x0f;
    code[4096] = 0xff; /* too far */
    char text[EXP_DEBUG_ID_BYTES];
    CHECK_STR(
        exp_debug_id_of_code(code, sizeof code, text),
        "00000033-0000-0000-0000-00000000000f");
}
