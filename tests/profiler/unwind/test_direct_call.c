/* Functions without a frame, told from their call. */
#include "profiler/unwind/sig_direct_call.h"

#include <string.h>

#include "tests/harness.h"

enum { TEXT = 0x10000, FUNCTION = 0x40, CALL_AT = 0x10, RET = 0x15 };

/* A call at CALL_AT of FUNCTION, which begins with `first`. */
static struct prof_text text_with(
    uint8_t *bytes, size_t size, const uint8_t *first, size_t count)
{
    static const uint8_t call[] = {0xe8, FUNCTION - RET, 0, 0, 0};
    memset(bytes, 0x90, size);
    memcpy(bytes + CALL_AT, call, sizeof call);
    memcpy(bytes + FUNCTION, first, count);
    return (struct prof_text){.start = TEXT, .end = TEXT + size, .code = bytes};
}

static bool is_frameless(
    const struct prof_text *text, uint64_t ret_at, uint64_t at)
{
    return prof_direct_call_is_frameless(text, TEXT + ret_at, text, TEXT + at);
}

TEST(direct_call_tells_a_function_that_makes_no_frame)
{
    static const uint8_t adds[] = {0x48, 0x01, 0xc0, 0xc3};
    uint8_t bytes[2048];
    struct prof_text text = text_with(bytes, sizeof bytes, adds, sizeof adds);
    CHECK(is_frameless(&text, RET, FUNCTION));
    CHECK(is_frameless(&text, RET, FUNCTION + 3));
    CHECK(!is_frameless(&text, RET, FUNCTION - 1));    /* before it */
    CHECK(!is_frameless(&text, RET, FUNCTION + 1500)); /* far behind */
    CHECK(!is_frameless(&text, RET + 1, FUNCTION));    /* no call there */
    CHECK(!is_frameless(&text, 2, FUNCTION));          /* nor room for one */
    CHECK(!is_frameless(&text, RET, sizeof bytes - 1));
    text.code = NULL; /* it may be gone */
    CHECK(!is_frameless(&text, RET, FUNCTION));
}

TEST(direct_call_sees_frames_that_are_made)
{
    static const uint8_t frames[][8] = {
        {0x90, 0x55, 0x48, 0x89, 0xe5, 0x90},        /* push, mov to %rbp */
        {0x90, 0x48, 0x83, 0xec, 0x20, 0x90},        /* sub $32,%rsp */
        {0x48, 0x81, 0xec, 0x00, 0x10, 0x00, 0x00}}; /* sub $4096,%rsp */
    uint8_t bytes[256];
    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        struct prof_text text =
            text_with(bytes, sizeof bytes, frames[i], sizeof frames[i]);
        CHECK(is_frameless(&text, RET, FUNCTION)); /* not yet */
        CHECK(!is_frameless(&text, RET, FUNCTION + 7));
        CHECK(!is_frameless(&text, RET, FUNCTION + 40));
    }
}
