/*
 * Processes whose samples are not even taken, where events are on processors:
 * a BPF program on each event asks a list of strangers, so that those pay for
 * no copy of their stack, and it takes no room in a ring.
 *
 * It is a list of who is known not to be watched, not of who is: a process
 * that was made a moment ago is sampled before we have heard of it. Where BPF
 * may not be used (CAP_BPF), or in a pid namespace of our own, whose numbers
 * the kernel's program does not have, there is no filter, and strangers are
 * passed over when records are read. (bpf(2))
 */
#ifndef PROFILER_TAP_FILTER_H
#define PROFILER_TAP_FILTER_H

#include <stdbool.h>
#include <stdint.h>

struct prof_tap_filter {
    int strangers, program; /* a map and a program; -1: there is no filter */
};

#define PROF_TAP_NO_FILTER                                                     \
    ((struct prof_tap_filter){.strangers = -1, .program = -1})

/* All are let through at first. Never fails: there is a filter or not. */
void prof_tap_filter_open(struct prof_tap_filter *filter);
void prof_tap_filter_close(struct prof_tap_filter *filter);

/* Have the event `fd`, which is on a processor, ask it. */
void prof_tap_filter_attach(const struct prof_tap_filter *filter, int fd);

/* Take no samples of this process; or take them again. */
void prof_tap_filter_refuse(const struct prof_tap_filter *filter, uint32_t pid);
void prof_tap_filter_admit(const struct prof_tap_filter *filter, uint32_t pid);

#endif
