/*
 * Outputs of a recording that goes on: now and then a copy of this process
 * writes what there is so far, whole, under the final names. So a service that
 * is killed together with its collector leaves a picture that is not old, and
 * nobody has to stop it to look.
 *
 * A copy, by fork(2): names are looked up in it at leisure while the rings are
 * drained here. It has this process's memory for nothing, as long as neither
 * writes to it, and goes with it.
 */
#ifndef TOOLS_INTERIM_H
#define TOOLS_INTERIM_H

#include <stdint.h>
#include <sys/types.h>

#include "tools/session.h"

struct interim {
    uint64_t every_ns; /* 0: never */
    uint64_t next_ns;  /* CLOCK_MONOTONIC; 0: not begun */
    pid_t writer;      /* 0: none at present */
};

/* Between two drains: begin to write when it is time and nobody does. */
void interim_tend(struct interim *interim, struct session *session);

/* Wait for the writer: the outputs at the end must be the last. */
void interim_end(struct interim *interim);

#endif
