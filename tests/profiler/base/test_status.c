/* The error type. */
#include "tests/harness.h"

#include <errno.h>
#include <string.h>

#include "profiler/base/status.h"

TEST(fail_appends_the_text_of_errno_to_a_system_failure)
{
    struct diag diag;
    errno = ENOENT;
    CHECK_EQ(fail(&diag, STATUS_SYSTEM, "open '%s'", "x"), STATUS_SYSTEM);
    CHECK_STR(diag.text, "open 'x': No such file or directory");
    CHECK_EQ(diag.sys_errno, ENOENT);
}

TEST(fail_without_a_diag_still_returns_the_status)
{
    CHECK_EQ(fail(NULL, STATUS_LIMIT, "ignored"), STATUS_LIMIT);
}

TEST(fail_cuts_a_long_sentence_instead_of_overflowing)
{
    struct diag diag;
    char long_name[1000];
    memset(long_name, 'a', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    errno = EIO;
    CHECK_EQ(fail(&diag, STATUS_SYSTEM, "%s", long_name), STATUS_SYSTEM);
    CHECK_EQ(strlen(diag.text), sizeof diag.text - 1);
}
