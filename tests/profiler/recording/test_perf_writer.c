/* The writer: bytes on disk, and what survives a bad end. */
#include "tests/harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/recording/perf_annex.h"
#include "profiler/recording/perf_format.h"
#include "profiler/recording/perf_writer.h"
#include "tests/profiler/recording/fixture.h"

static void record(const char *path, const struct prof_profile *profile)
{
    struct prof_recording *recording;
    CHECK_OK(prof_recording_create(path, &recording, NULL));
    CHECK_OK(prof_recording_finish(recording, profile, NULL));
    prof_recording_destroy(recording);
}

TEST(recording_keeps_a_profile_in_its_annex)
{
    struct prof_profile *p = fixture_everything();
    const char *path = fixture_path("everything.data");
    record(path, p);
    struct prof_bytes annex = {0};
    prof_perf_annex_write(&annex, p);
    struct prof_profile *q = prof_profile_create();
    CHECK_OK(prof_perf_annex_read(annex.data, annex.count, q, NULL));
    fixture_check_equal(q, p);
    prof_bytes_fini(&annex);
    prof_profile_destroy(p);
    prof_profile_destroy(q);
}
