/*
 * A thread of ours posted on a processor, which catches who is at work there.
 *
 * It stays: one that was made anew for each moment got a processor only when
 * its turn came, and on a busy machine a third of the moments were over by
 * then. Posts work at the same time, and none waits for what another waits for.
 *
 * A post has one order at a time. Where it could not end a stop that it made,
 * its thread ends, for the kernel lets go then (tracee.h), and the next order
 * makes another.
 */
#ifndef PROFILER_TAP_POST_H
#define PROFILER_TAP_POST_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/tap/catch.h"

struct prof_post;

/*
 * A post without an order.
 *
 *   told     an eventfd, written to when an order is done; borrowed
 *   returns  NULL: out of memory
 */
struct prof_post *prof_post_create(
    struct prof_roster *roster, uint32_t processor, int told);

/* Waits for an order to be done; NULL is fine. */
void prof_post_destroy(struct prof_post *post);

/* Whether it has no order. */
bool prof_post_is_free(const struct prof_post *post);

/*
 * Catch who is at work at that moment (CLOCK_MONOTONIC).
 *
 *   post     free
 *   returns  false: there can be no thread for it
 */
bool prof_post_order(struct prof_post *post, uint64_t moment_ns);

/*
 * What came of an order.
 *
 *   cost_ns  out: of the CPU's time
 *   returns  valid until the next order; NULL: it is not done, or there is
 * none. The post is free then
 */
const struct prof_catch *prof_post_take(
    struct prof_post *post, uint64_t *cost_ns);

/* Wait until an order is done. */
void prof_post_wait(struct prof_post *post);

#endif
