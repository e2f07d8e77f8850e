/* Profiles to record, and small tools that tests of recordings share. */
#ifndef TESTS_PROFILER_RECORDING_FIXTURE_H
#define TESTS_PROFILER_RECORDING_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/model/profile.h"

/*
 * A profile with one of everything: two processes and a second image of the
 * first pid, a library mapped anew at another address, named, account, kernel,
 * vDSO and anonymous frames, an empty stack, two value types, lines with
 * inlining, losses and an origin. Addresses lie in this test's own program.
 */
struct prof_profile *fixture_everything(void);

/* The same before its first sample. */
struct prof_profile *fixture_without_samples(void);

/* Add a stack of `count` frames given leaf first; returns the leaf. */
uint32_t fixture_stack(
    struct prof_profile *profile, const uint32_t *frames, size_t count);

/* Add a sample of `value` at `time_ns`. */
void fixture_sample(
    struct prof_profile *profile, uint32_t thread, uint32_t stack,
    uint64_t time_ns, uint64_t value);

/* Fail the test unless every table of the two that matters is equal. */
void fixture_check_equal(
    const struct prof_profile *actual, const struct prof_profile *wanted);

/*
 * One line a sample, sorted: "time value frame frame ...", leaf first, native
 * frames as module+offset. The caller frees it.
 */
char *fixture_render(const struct prof_profile *profile, uint32_t value);

/* Lines of text in a growing buffer, and the sorted whole of them. */
struct fixture_lines {
    char **lines;
    size_t count, capacity;
};

void fixture_add_line(struct fixture_lines *lines, const char *line);
char *fixture_join_sorted(struct fixture_lines *lines);

/* Fail the test at the first line in which the two differ. */
void fixture_check_lines(const char *actual, const char *wanted);

/*
 * A file for one test, below TMPDIR; gone at exit. The text is valid until
 * the eighth call from here.
 */
const char *fixture_path(const char *name);

/* All of a file; the caller frees it. */
unsigned char *fixture_read(const char *path, size_t *bytes);
void fixture_write(const char *path, const void *data, size_t bytes);

#endif
