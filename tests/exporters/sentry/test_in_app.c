/* Which frames are the program's own. */
#include "tests/harness.h"

#include "exporters/sentry/in_app.h"

TEST(in_app_follows_the_rule_where_no_pattern_fits)
{
    CHECK(exp_in_app(NULL, "/usr/bin/app", "main", true));
    CHECK(!exp_in_app("", "/usr/lib/libc.so.6", "read", false));
    CHECK(!exp_in_app("/opt/?*", "/usr/lib/libc.so.6", "read", false));
}

TEST(in_app_takes_the_last_pattern_that_fits)
{
    const char *patterns = "/opt/app/?*,!/opt/app/vendor/?*,libme.so*";
    CHECK(exp_in_app(patterns, "/opt/app/lib/a.so", "f", false));
    CHECK(!exp_in_app(patterns, "/opt/app/vendor/b.so", "f", true));
    CHECK(exp_in_app(patterns, "/usr/lib/libme.so.3", "f", false));
    CHECK(exp_in_app(patterns, "/opt/app/vendor/libme.so", "f", false));
}

TEST(in_app_compares_functions_with_patterns_without_a_slash)
{
    CHECK(!exp_in_app("!std::*", "/usr/bin/app", "std::sort(int*)", true));
    CHECK(exp_in_app("!std::*", "/usr/bin/app", "sort", true));
    CHECK(exp_in_app("mine_*", "", "mine_all", false));
    CHECK(!exp_in_app("!*", "", "", false));
}
