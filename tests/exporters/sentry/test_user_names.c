/* Names of users, and what only looks like one. */
#include "tests/harness.h"

#include <stdio.h>
#include <string.h>

#include "exporters/sentry/user_names.h"

static void check(const char *text, const char *wanted)
{
    char copy[256];
    (void)snprintf(copy, sizeof copy, "%s", text);
    CHECK_EQ(exp_user_names_hide(copy), strlen(wanted));
    CHECK_STR(copy, wanted);
}

TEST(user_names_are_hidden_in_paths)
{
    check("/home/alice/src/app.c", "/home/~/src/app.c");
    check("/home/alice", "/home/~");
    check("/var/home/alice/a", "/var/home/~/a");
    check("/export/home/a.b-c_d/e", "/export/home/~/e");
    check("/Users/alice/a", "/Users/~/a");
    check("/home/a/home/b", "/home/~/home/b");
    check("/home/\xc3\xa9lise/x", "/home/~/x");
}

TEST(user_names_are_hidden_in_text)
{
    check(
        "app: /home/alice/app.c:12: main: Assertion `x' failed.",
        "app: /home/~/app.c:12: main: Assertion `x' failed.");
    check(
        "{\"a\":\"/home/al\",\"b\":\"/home/bob/x\"}",
        "{\"a\":\"/home/~\",\"b\":\"/home/~/x\"}");
    check(
        "cannot open '/home/alice': no (/home/bob)",
        "cannot open '/home/~': no (/home/~)");
    check("PATH=/home/al/bin:/home/bo/bin", "PATH=/home/~/bin:/home/~/bin");
    check("\\\"/home/alice\\\"", "\\\"/home/~\\\"");
}

TEST(user_names_are_not_seen_where_none_are)
{
    static const char *const same[] = {
        "",
        "/",
        "/home",
        "/home/",
        "\"/home/\"",
        "/srv/home/app/x",
        "/opt/home/x",
        "home/alice",
        "/homes/alice",
        "/usr/lib/x.so",
        "./home/alice/x",
        "http://a/home/b"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        check(same[i], same[i]);
}
