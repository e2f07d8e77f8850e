/*
 * Within the account: account.c fills the room of samples, account_base.c says
 * how much each has. A sample's base weight is its expiries times the period;
 * its room is what it may stand for beyond that, if the CPU time of its thread
 * has so much left.
 */
#ifndef PROFILER_COLLECTOR_ACCOUNT_MODEL_H
#define PROFILER_COLLECTOR_ACCOUNT_MODEL_H

#include "profiler/collector/account.h"

/* Sets is_first, weight_ns and room_ns of the sample, and counts it in. */
void prof_account_weigh_base(
    struct prof_account *account, struct prof_account_thread *thread,
    struct prof_pending *sample);

static inline uint64_t account_least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t account_excess(uint64_t of, uint64_t over)
{
    return of > over ? of - over : 0;
}

#endif
