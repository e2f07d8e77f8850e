/* The members of one JSON object. */
#include "exporters/sentry/json_scan.h"

#include <string.h>

enum { DEPTH_MAX = 64 };

static void skip_blanks(struct exp_json_text *rest)
{
    while (rest->at < rest->end && strchr(" \t\r\n", *rest->at) != NULL &&
           *rest->at != '\0')
        rest->at++;
}

static bool skip_byte(struct exp_json_text *rest, char byte)
{
    if (rest->at == rest->end || *rest->at != byte)
        return false;
    rest->at++;
    return true;
}

static bool is_next(struct exp_json_text rest, char byte)
{
    return rest.at < rest.end && *rest.at == byte;
}

static bool skip_escape(struct exp_json_text *rest)
{
    if (rest->at == rest->end)
        return false;
    char kind = *rest->at++;
    if (kind != 'u')
        return kind != '\0' && strchr("\"\\/bfnrt", kind) != NULL;
    for (int digit = 0; digit < 4; digit++, rest->at++) {
        if (rest->at == rest->end || *rest->at == '\0' ||
            strchr("0123456789abcdefABCDEF", *rest->at) == NULL)
            return false;
    }
    return true;
}

static bool skip_string(struct exp_json_text *rest)
{
    if (!skip_byte(rest, '"'))
        return false;
    while (rest->at < rest->end) {
        unsigned char byte = (unsigned char)*rest->at++;
        if (byte == '"')
            return true;
        if (byte < ' ' || (byte == '\\' && !skip_escape(rest)))
            return false;
    }
    return false;
}

static size_t skip_digits(struct exp_json_text *rest)
{
    const char *start = rest->at;
    while (rest->at < rest->end && *rest->at >= '0' && *rest->at <= '9')
        rest->at++;
    return (size_t)(rest->at - start);
}

static bool skip_number(struct exp_json_text *rest)
{
    (void)skip_byte(rest, '-');
    bool is_zero = is_next(*rest, '0');
    size_t digits = skip_digits(rest);
    if (digits == 0 || (is_zero && digits > 1))
        return false;
    if (skip_byte(rest, '.') && skip_digits(rest) == 0)
        return false;
    if (skip_byte(rest, 'e') || skip_byte(rest, 'E')) {
        if (!skip_byte(rest, '-'))
            (void)skip_byte(rest, '+');
        return skip_digits(rest) > 0;
    }
    return true;
}

static bool skip_word(struct exp_json_text *rest)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t length = strlen(words[i]);
        if ((size_t)(rest->end - rest->at) >= length &&
            memcmp(rest->at, words[i], length) == 0) {
            rest->at += length;
            return true;
        }
    }
    return false;
}

static bool skip_value(struct exp_json_text *rest, int depth);

/* The members or elements of a container whose first byte is passed. */
static bool skip_members(struct exp_json_text *rest, char end, int depth)
{
    skip_blanks(rest);
    if (skip_byte(rest, end))
        return true;
    for (;;) {
        skip_blanks(rest);
        if (end == '}') {
            if (!skip_string(rest))
                return false;
            skip_blanks(rest);
            if (!skip_byte(rest, ':'))
                return false;
        }
        if (!skip_value(rest, depth))
            return false;
        skip_blanks(rest);
        if (skip_byte(rest, end))
            return true;
        if (!skip_byte(rest, ','))
            return false;
    }
}

static bool skip_value(struct exp_json_text *rest, int depth)
{
    skip_blanks(rest);
    if (depth == DEPTH_MAX || rest->at == rest->end)
        return false;
    switch (*rest->at) {
    case '{':
        rest->at++;
        return skip_members(rest, '}', depth + 1);
    case '[':
        rest->at++;
        return skip_members(rest, ']', depth + 1);
    case '"':
        return skip_string(rest);
    case 't':
    case 'f':
    case 'n':
        return skip_word(rest);
    default:
        return skip_number(rest);
    }
}

bool exp_json_scan_begin(
    struct exp_json_scan *scan, const char *text, size_t bytes)
{
    struct exp_json_text rest = {text, text + bytes};
    skip_blanks(&rest);
    struct exp_json_text all = rest;
    if (!is_next(rest, '{') || !skip_value(&rest, 0))
        return false;
    skip_blanks(&rest);
    if (rest.at != rest.end)
        return false;
    all.at++;
    scan->rest = all;
    return true;
}

/* The text was valid at the beginning: nothing here can fail. */
bool exp_json_scan_member(
    struct exp_json_scan *scan, struct exp_json_text *key,
    struct exp_json_text *value)
{
    struct exp_json_text *rest = &scan->rest;
    skip_blanks(rest);
    (void)skip_byte(rest, ',');
    skip_blanks(rest);
    if (!is_next(*rest, '"'))
        return false;
    *key = *rest;
    (void)skip_string(rest);
    key->end = rest->at;
    (void)exp_json_text_string(key);
    skip_blanks(rest);
    (void)skip_byte(rest, ':');
    skip_blanks(rest);
    *value = *rest;
    (void)skip_value(rest, 0);
    value->end = rest->at;
    return true;
}

bool exp_json_find(
    const char *text, size_t bytes, const char *key,
    struct exp_json_text *value)
{
    struct exp_json_scan scan;
    struct exp_json_text name, one;
    bool is_found = false;
    if (!exp_json_scan_begin(&scan, text, bytes))
        return false;
    while (exp_json_scan_member(&scan, &name, &one)) {
        if (exp_json_text_equals(name, key)) {
            *value = one;
            is_found = true;
        }
    }
    return is_found;
}

bool exp_json_text_string(struct exp_json_text *value)
{
    if (!is_next(*value, '"'))
        return false;
    value->at++;
    value->end--;
    return true;
}

bool exp_json_text_u64(
    struct exp_json_text value, uint64_t max, uint64_t *number)
{
    uint64_t sum = 0;
    if (value.at == value.end)
        return false;
    for (const char *at = value.at; at < value.end; at++) {
        if (*at < '0' || *at > '9')
            return false;
        uint64_t digit = (uint64_t)(*at - '0');
        if (digit > max || sum > (max - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *number = sum;
    return true;
}

size_t exp_json_text_count(struct exp_json_text value)
{
    size_t count = 0;
    if (!skip_byte(&value, '['))
        return 0;
    skip_blanks(&value);
    if (is_next(value, ']'))
        return 0;
    do {
        if (!skip_value(&value, 0))
            return count;
        count++;
        skip_blanks(&value);
    } while (skip_byte(&value, ','));
    return count;
}

bool exp_json_text_equals(struct exp_json_text text, const char *other)
{
    size_t length = strlen(other);
    return (size_t)(text.end - text.at) == length &&
           memcmp(text.at, other, length) == 0;
}
