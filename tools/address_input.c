/* Addresses to look up, one a line. */
#include "tools/address_input.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void parse(struct address *address)
{
    const char *text = address->text;
    while (isspace((unsigned char)*text))
        text++;
    char *after;
    errno = 0;
    address->value = strtoull(text, &after, 16);
    address->is_number = isxdigit((unsigned char)*text) && errno == 0 &&
                         (*after == '\0' || isspace((unsigned char)*after));
    if (!address->is_number)
        address->value = 0;
}

/* Get more bytes; false at the end of the input or after a failure. */
static bool refill(
    struct address_input *input, enum status *status, struct diag *diag)
{
    if (input->is_at_end)
        return false;
    if (input->before_read != NULL)
        input->before_read(input->context);
    ssize_t got;
    do
        got = read(input->fd, input->buffer, sizeof input->buffer);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        *status = fail(diag, STATUS_SYSTEM, "read addresses");
    input->is_at_end = got <= 0;
    input->begin = 0;
    input->end = got > 0 ? (size_t)got : 0;
    return got > 0;
}

/* Append what there is of the line; whether its end was met. */
static bool take_piece(struct address_input *input, size_t *used)
{
    const char *piece = input->buffer + input->begin;
    size_t left = input->end - input->begin;
    const char *newline = memchr(piece, '\n', left);
    size_t bytes = newline != NULL ? (size_t)(newline - piece) : left;
    size_t room = sizeof input->line - 1 - *used;
    size_t kept = bytes < room ? bytes : room;
    memcpy(input->line + *used, piece, kept);
    *used += kept;
    input->begin += bytes + (newline != NULL);
    return newline != NULL;
}

static bool next_line(
    struct address_input *input, enum status *status, struct diag *diag)
{
    size_t used = 0;
    bool is_any = false, is_whole = false;
    while (!is_whole) {
        if (input->begin == input->end && !refill(input, status, diag))
            break;
        is_any = true;
        is_whole = take_piece(input, &used);
    }
    input->line[used] = '\0';
    return is_any && *status == STATUS_OK;
}

bool address_input_next(
    struct address_input *input, struct address *address, enum status *status,
    struct diag *diag)
{
    *status = STATUS_OK;
    if (input->words != NULL) {
        if (input->word_count == 0)
            return false;
        input->word_count--;
        address->text = *input->words++;
    } else if (next_line(input, status, diag)) {
        address->text = input->line;
    } else {
        return false;
    }
    parse(address);
    return true;
}
