/* Hand-made profiles that the exporters' tests share. */
#ifndef TESTS_EXPORTERS_PROFILES_H
#define TESTS_EXPORTERS_PROFILES_H

#include <stdint.h>

#include "profiler/model/profile.h"

/*
 * A short story in one process: inlined functions, recursion, a library, the
 * kernel, an address without a symbol, accounts, a stack that was cut, and
 * losses. CPU nanoseconds at 1 ms a sample.
 */
struct prof_profile *profile_story(void);

/*
 * Wall time: two threads that run, wait for a CPU, sleep, wait for a disk, and
 * of one of which the stack was never seen.
 */
struct prof_profile *profile_asleep(void);

/* Two processes of one program, each with two threads. */
struct prof_profile *profile_two_processes(void);

/* Names with < > & " ' ; spaces, control characters and broken UTF-8. */
struct prof_profile *profile_ugly_names(void);

/* Long names of several languages, all equally wide. */
struct prof_profile *profile_long_names(void);

/* Processes, but not one sample. */
struct prof_profile *profile_empty(void);

/* One stack of `depth` distinct functions, and one that ends half way. */
struct prof_profile *profile_deep(uint32_t depth);

/* Three samples of UINT64_MAX / 2 each. */
struct prof_profile *profile_huge_counts(void);

/*
 * What a compiler looks like for some seconds: `stacks` distinct stacks,
 * 10 to 60 deep, with long C++ names. The same for the same count.
 */
struct prof_profile *profile_large(uint32_t stacks);

#endif
