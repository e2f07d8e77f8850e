/*
 * Programs with many small cases, one a run: PROGRAM CASE. Each prints what it
 * sees, and burns enough CPU time meanwhile to be sampled.
 */
#ifndef TESTS_PROGRAMS_HOST_CASE_H
#define TESTS_PROGRAMS_HOST_CASE_H

#include <stdio.h>
#include <string.h>

#include "tests/programs/burn.h"

struct host_case {
    const char *name;
    void (*run)(void);
};

static inline int host_case_run(
    const struct host_case *cases, size_t count, int argc, char **argv)
{
    (void)setvbuf(stdout, NULL, _IONBF, 0); /* a fork repeats nothing */
    for (size_t i = 0; i < count && argc > 1; i++) {
        if (strcmp(cases[i].name, argv[1]) == 0) {
            cases[i].run();
            return 0;
        }
    }
    for (size_t i = 0; i < count; i++)
        (void)fprintf(stderr, "%s\n", cases[i].name);
    return 2;
}

#define HOST_CASES(cases, argc, argv)                                          \
    host_case_run(cases, sizeof(cases) / sizeof(cases)[0], argc, argv)

/* Some ten samples at 997 Hz, also where only the tick drives them. */
#define BRIEFLY (40 * NS_PER_MS)

#endif
