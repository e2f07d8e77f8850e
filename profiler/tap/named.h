/* The processes and threads that somebody asked to be watched. */
#ifndef PROFILER_TAP_NAMED_H
#define PROFILER_TAP_NAMED_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/base/table.h"

struct prof_tap_named {
    struct table rows; /* struct prof_tap_named_row */
    int epoll;         /* becomes readable when one has ended; borrowed */
};

struct prof_tap_named_row {
    uint32_t pid, tid; /* tid 0: the whole process */
    int pidfd;         /* readable when the process is dead; -1: none */
};

void prof_tap_named_init(struct prof_tap_named *named, int epoll);
void prof_tap_named_fini(struct prof_tap_named *named);

MUST_CHECK enum status prof_tap_named_add(
    struct prof_tap_named *named, uint32_t pid, uint32_t tid,
    struct diag *diag);

/* Whether the process is one of them. */
bool prof_tap_named_has(const struct prof_tap_named *named, uint32_t pid);

/* Whether all have ended. */
bool prof_tap_named_are_over(const struct prof_tap_named *named);

/* The dead would have us called for ever. */
void prof_tap_named_forget_ended(struct prof_tap_named *named);

#endif
