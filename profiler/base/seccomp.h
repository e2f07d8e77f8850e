/*
 * What a seccomp filter would do to a system call: its program is run here, as
 * the kernel would (seccomp(2); Documentation/networking/filter.rst in Linux
 * has the instructions).
 *
 * Arguments may be unknown beforehand; a filter that looks at one of those is
 * taken to refuse the call.
 */
#ifndef PROFILER_BASE_SECCOMP_H
#define PROFILER_BASE_SECCOMP_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>

struct sock_filter;

/* Bits of what is known beforehand. */
#define SECCOMP_KNOWS_PLACE       1u /* instruction_pointer */
#define SECCOMP_KNOWS_ARGUMENT(i) (2u << (i))

struct seccomp_call {
    struct seccomp_data data;
    uint32_t known; /* SECCOMP_KNOWS_... */
};

/* SECCOMP_RET_..., the action alone. */
uint32_t seccomp_verdict(
    const struct sock_filter *code, uint32_t length,
    const struct seccomp_call *call);

/* Whether the call is made, and nobody is asked or told. */
bool seccomp_passes(
    const struct sock_filter *code, uint32_t length,
    const struct seccomp_call *call);

#endif
