/* Where data goes and by which key. */
#include "tests/harness.h"

#include <string.h>

#include "exporters/sentry/dsn.h"

static struct exp_dsn parsed(const char *text)
{
    struct exp_dsn dsn;
    struct diag diag = {.status = STATUS_OK};
    CHECK_EQ(exp_dsn_parse(&dsn, text, &diag), STATUS_OK);
    return dsn;
}

static void check_url(const char *text, const char *wanted)
{
    char url[EXP_DSN_URL_BYTES];
    struct exp_dsn dsn = parsed(text);
    CHECK_STR(exp_dsn_envelope_url(&dsn, url), wanted);
}

static void check_refused(const char *text, const char *word)
{
    struct exp_dsn dsn;
    struct diag diag = {.status = STATUS_OK};
    CHECK_EQ(exp_dsn_parse(&dsn, text, &diag), STATUS_USAGE);
    if (strstr(diag.text, word) == NULL)
        print_error("'%s' is refused with: %s\n", text, diag.text);
    CHECK(strstr(diag.text, word) != NULL);
}

TEST(dsn_becomes_the_url_of_envelopes)
{
    check_url(
        "https://key@o42.ingest.example.com/7",
        "https://o42.ingest.example.com:443/api/7/envelope/");
    check_url("http://key@host/7", "http://host:80/api/7/envelope/");
    check_url("HTTPS://key@host:8443/7", "https://host:8443/api/7/envelope/");
}

TEST(dsn_keeps_a_prefix_of_the_path_and_drops_slashes_at_the_end)
{
    check_url(
        "https://key@host/a/b/project-name///",
        "https://host:443/a/b/api/project-name/envelope/");
    check_url("https://key@host//7", "https://host:443/api/7/envelope/");
}

TEST(dsn_takes_an_ipv6_address_with_and_without_a_port)
{
    check_url("http://key@[::1]/7", "http://[::1]:80/api/7/envelope/");
    check_url(
        "http://key@[fe80::1]:9000/7", "http://[fe80::1]:9000/api/7/envelope/");
}

TEST(dsn_of_nothing_means_off)
{
    struct exp_dsn dsn = parsed("");
    CHECK(exp_dsn_is_off(&dsn));
    dsn = parsed(NULL);
    CHECK(exp_dsn_is_off(&dsn));
    dsn = parsed(" \n");
    CHECK(exp_dsn_is_off(&dsn));
    dsn = parsed(" https://key@host/7\n");
    CHECK(!exp_dsn_is_off(&dsn));
}

TEST(dsn_gives_the_auth_header_with_a_secret_only_if_it_has_one)
{
    char value[EXP_DSN_URL_BYTES];
    struct exp_dsn dsn = parsed("https://key@host/7");
    CHECK(
        strncmp(
            exp_dsn_auth(&dsn, value),
            "Sentry sentry_key=key, sentry_version=7, "
            "sentry_client=watchfire/",
            64) == 0);
    CHECK(strstr(value, "secret") == NULL);
    dsn = parsed("https://key:hidden@host/7");
    CHECK(strstr(exp_dsn_auth(&dsn, value), ", sentry_secret=hidden") != NULL);
}

TEST(dsn_tells_the_organization_of_the_host)
{
    char digits[EXP_DSN_PART_BYTES];
    struct exp_dsn dsn = parsed("https://key@o123.ingest.example.com/7");
    CHECK_STR(exp_dsn_organization(&dsn, digits), "123");
    dsn = parsed("https://key@office1.example.com/7");
    CHECK_STR(exp_dsn_organization(&dsn, digits), "");
    dsn = parsed("https://key@123.example.com/7");
    CHECK_STR(exp_dsn_organization(&dsn, digits), "");
}

TEST(dsn_that_lacks_a_part_is_refused_with_the_part)
{
    check_refused("key@host/7", "http");
    check_refused("ftp://key@host/7", "http");
    check_refused("https://host/7", "public key");
    check_refused("https://@host/7", "public key");
    check_refused("https://key@/7", "host");
    check_refused("https://key@host", "project");
    check_refused("https://key@host/", "project");
    check_refused("https://key@host:/7", "port");
    check_refused("https://key@host:0/7", "port");
    check_refused("https://key@host:65536/7", "port");
    check_refused("https://key@host:80x/7", "port");
    check_refused("https://key@[::1/7", "IPv6");
    check_refused("https://key@[::1]80/7", "port");
}

TEST(dsn_cannot_end_a_header_or_a_url_early)
{
    check_refused("https://k\r\nX: y@host/7", "public key");
    check_refused("https://key, sentry_version=1@host/7", "public key");
    check_refused("https://key@ho st/7", "host");
    check_refused("https://key@host/7?a=b", "project");
    check_refused("https://key@host/a b/7", "path");
    check_refused("https://key:s t@host/7", "secret");
}

TEST(dsn_is_never_shown_when_it_is_refused)
{
    struct exp_dsn dsn;
    struct diag diag = {.status = STATUS_OK};
    CHECK_EQ(
        exp_dsn_parse(&dsn, "https://abcdef:hidden@host", &diag), STATUS_USAGE);
    CHECK(strstr(diag.text, "hidden") == NULL);
    CHECK(strstr(diag.text, "abcdef") == NULL);
}

TEST(dsn_has_a_file_name_of_its_own)
{
    char one[EXP_DSN_PART_BYTES], other[EXP_DSN_PART_BYTES];
    struct exp_dsn a = parsed("https://key@[::1]/7");
    struct exp_dsn b = parsed("https://yek@[::1]/7");
    CHECK(strchr(exp_dsn_file_name(&a, one), '/') == NULL);
    CHECK(strcmp(one, exp_dsn_file_name(&b, other)) != 0);
    b = parsed("https://key:secret@[::1]/7");
    CHECK_STR(exp_dsn_file_name(&b, other), one);
}
