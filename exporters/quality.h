/*
 * How far a profile can be trusted: what was counted, what the kernel says,
 * and what is missing. Every exporter that a person reads shows it.
 */
#ifndef EXPORTERS_QUALITY_H
#define EXPORTERS_QUALITY_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/model/profile.h"

struct exp_writer;

struct exp_quality {
    uint64_t samples;            /* of functions: accounts are not counted */
    uint64_t incomplete_samples; /* their outermost part is missing */
    bool has_cpu;                /* a value type is CPU nanoseconds */
    uint64_t wall_ns;            /* the sum of wall nanoseconds; 0: none */
    uint64_t sampled_ns;         /* the sum of it, accounts included */
    uint64_t account_ns;         /* the part in [startup], [exit], ... */
    uint64_t kernel_ns;          /* the kernel's own figure; 0 unknown */
    uint64_t duration_ns;        /* 0 unknown */
    uint64_t lost_samples;       /* the reasons that cost whole samples */
    uint64_t loss[PROF_LOSS_COUNT];
};

struct exp_quality exp_quality_of(const struct prof_profile *profile);

/* There are samples, and nothing was lost, cut or guessed. */
bool exp_quality_is_good(const struct exp_quality *quality);

/* Which reason it is, for a program: "ring_full". Returns `buffer`. */
#define EXP_LOSS_NAME_BYTES 32
const char *exp_loss_name(
    enum prof_loss reason, char buffer[static EXP_LOSS_NAME_BYTES]);

/*
 * One line each, without a line break: "2998 samples in 3.010 s, CPU 3.002 s
 * (20.00 ms of it outside samples) of 3.010 s by the kernel's account (99.7 %),
 * clock perf cpu-clock at 997 Hz", and "no sample lost, all stacks complete" or
 * what is missing, with the count of each reason.
 */
void exp_quality_write_facts(
    const struct exp_quality *quality, const struct prof_profile *profile,
    struct exp_writer *writer);
void exp_quality_write_losses(
    const struct exp_quality *quality, struct exp_writer *writer);

#endif
