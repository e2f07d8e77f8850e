/*
 * Running out of memory: every allocation of a recording written or read
 * fails once.
 */
#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/recording/perf_writer.h"
#include "profiler/recording/reader.h"
#include "tests/allocations.h"
#include "tests/profiler/recording/fixture.h"

static enum status write_once(
    const struct prof_profile *profile, const char *path, struct diag *diag)
{
    struct prof_recording *recording = NULL;
    enum status status = prof_recording_create(path, &recording, diag);
    if (status == STATUS_OK)
        status = prof_recording_sync(recording, profile, diag);
    if (status == STATUS_OK)
        status = prof_recording_finish(recording, profile, diag);
    prof_recording_destroy(recording);
    return status;
}

TEST(writing_survives_the_failure_of_any_allocation)
{
    struct prof_profile *p = fixture_everything();
    const char *path = fixture_path("written.data");
    for (unsigned long nth = 1;; nth++) {
        struct diag diag = {0};
        allocations_fail(nth);
        enum status status = write_once(p, path, &diag);
        if (!allocations_restore()) {
            CHECK_OK(status);
            break;
        }
        CHECK_EQ(status, STATUS_NO_MEMORY);
        CHECK_EQ(diag.status, STATUS_NO_MEMORY);
    }
    prof_profile_destroy(p);
}

static void sweep_reading(const char *path)
{
    for (unsigned long nth = 1;; nth++) {
        struct prof_profile *q = prof_profile_create();
        struct diag diag = {0};
        allocations_fail(nth);
        enum status status = prof_recording_read(path, q, &diag);
        bool is_over = !allocations_restore();
        prof_profile_destroy(q);
        if (is_over) {
            CHECK_OK(status);
            break;
        }
        CHECK_EQ(status, STATUS_NO_MEMORY);
        CHECK_EQ(diag.status, STATUS_NO_MEMORY);
    }
}

TEST(reading_survives_the_failure_of_any_allocation)
{
    struct prof_profile *p = fixture_everything();
    CHECK_OK(write_once(p, fixture_path("read.data"), NULL));
    prof_profile_destroy(p);
    sweep_reading(fixture_path("read.data"));

    /* Without its annex: the header's bits of features are cleared. */
    size_t bytes;
    unsigned char *data = fixture_read(fixture_path("read.data"), &bytes);
    memset(data + 72, 0, 32);
    fixture_write(fixture_path("read.data"), data, bytes);
    free(data);
    sweep_reading(fixture_path("read.data"));
}

TEST(reading_folded_text_survives_the_failure_of_any_allocation)
{
    static const char text[] = "main;parse;read 12\nmain;parse 3\nmain 1\n";
    fixture_write(fixture_path("a.folded"), text, sizeof text - 1);
    sweep_reading(fixture_path("a.folded"));
}
