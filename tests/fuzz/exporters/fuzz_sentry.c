/*
 * What the Sentry exporter reads that it has not written itself: envelopes of
 * others, DSNs, the headers of an answer, the file of limits. The first byte
 * says which. An envelope that is taken is sent: what goes out must be one.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "exporters/sentry/dsn.h"
#include "exporters/sentry/envelope_reader.h"
#include "exporters/sentry/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
    if (!holds)
        abort();
}

static void read_envelope(const char *bytes, size_t count)
{
    static const struct exp_rate_limits some = {
        .until_ms[EXP_CATEGORY_SESSION] = UINT64_MAX};
    struct exp_discards discards = {0};
    struct exp_request request;
    struct exp_block envelope = {(char *)bytes, count}, sent;
    enum exp_rank rank;
    enum status checked = exp_envelope_check(bytes, count, &rank, NULL);
    require(
        (exp_discards_add_envelope(
             &discards, EXP_DISCARD_SEND_ERROR, bytes, count) == STATUS_OK) ==
        (checked == STATUS_OK));
    enum status made =
        exp_request_make(&request, &envelope, &some, &discards, 1);
    require((made == STATUS_OK) == (checked == STATUS_OK));
    if (made == STATUS_OK && request.packed.bytes != NULL) {
        require(
            exp_gzip_unpack(
                request.packed.bytes, request.packed.count, 1 << 20, &sent) ==
            STATUS_OK);
        require(
            exp_envelope_check(sent.bytes, sent.count, &rank, NULL) ==
            STATUS_OK);
        free(sent.bytes);
    }
    if (made == STATUS_OK)
        exp_request_fini(&request);
}

static void read_dsn(const char *text)
{
    struct exp_dsn dsn;
    struct diag diag;
    char url[EXP_DSN_URL_BYTES], name[EXP_DSN_PART_BYTES];
    if (exp_dsn_parse(&dsn, text, &diag) != STATUS_OK || exp_dsn_is_off(&dsn))
        return;
    (void)exp_dsn_envelope_url(&dsn, url);
    (void)exp_dsn_file_name(&dsn, name);
    require(strpbrk(url, " \t\r\n?#\"") == NULL);
    require(strchr(name, '/') == NULL);
    require(strpbrk(exp_dsn_auth(&dsn, url), "\r\n\"") == NULL);
    (void)exp_dsn_organization(&dsn, name);
}

static void read_limits(char kind, const char *text)
{
    struct exp_rate_limits limits = {0};
    const struct exp_rate_answer answer = {
        .status = 429,
        .rate_limits = kind == 'L' ? text : NULL,
        .retry_after = kind == 'R' ? text : NULL};
    if (kind == 'T')
        exp_rate_limits_read(&limits, text, 1);
    else
        (void)exp_rate_limits_take(&limits, &answer, 1);
    for (int category = 0; category < EXP_CATEGORY_COUNT; category++)
        require(limits.until_ms[category] <= 1 + EXP_RATE_LIMIT_MAX_MS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char kind = (char)data[0];
    /* A block of its own, so that a byte too far is noticed. */
    char *bytes = malloc(size);
    require(bytes != NULL);
    memcpy(bytes, data + 1, size - 1);
    bytes[size - 1] = '\0';
    if (kind == 'E') {
        char *exact = size > 1 ? realloc(bytes, size - 1) : bytes;
        read_envelope(exact, size - 1);
        free(exact);
        return 0;
    }
    if (kind == 'D')
        read_dsn(bytes);
    else
        read_limits(kind, bytes);
    free(bytes);
    return 0;
}
