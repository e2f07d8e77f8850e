/*
 * Addresses to look up, from the command line or a stream, one a line.
 *
 * Whoever asks one address at a time through a pipe waits for its answer, so
 * what was answered is to be flushed before a read that may wait. The reader
 * says when: it calls back before each read, and a file of many addresses
 * still costs one write for many answers.
 */
#ifndef TOOLS_ADDRESS_INPUT_H
#define TOOLS_ADDRESS_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/status.h"

/* Bytes of a line that are looked at; the rest of a longer one is dropped. */
#define ADDRESS_LINE_BYTES 512

struct address_input {
    char *const *words; /* of the command line; NULL: read `fd` */
    int word_count;
    int fd;
    void (*before_read)(void *context);
    void *context;

    char buffer[16384];
    size_t begin, end; /* what of it is not used yet */
    bool is_at_end;
    char line[ADDRESS_LINE_BYTES];
};

/* One line or word of the input. */
struct address {
    const char *text; /* valid until the next one */
    uint64_t value;   /* 0 when it is no number */
    bool is_number;   /* hexadecimal, "0x" or not; text may follow a blank */
};

/*
 * The next address; false at the end.
 *
 *   errors   SYSTEM, in `status`, which is OK otherwise
 */
bool address_input_next(
    struct address_input *input, struct address *address, enum status *status,
    struct diag *diag);

#endif
