/*
 * Every allocation of every exporter fails once: no crash, no leak, no file
 * that is not whole.
 */
#include "tests/harness.h"

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exporters/formats.h"
#include "exporters/report.h"
#include "exporters/writer.h"
#include "tests/allocations.h"
#include "tests/exporters/profiles.h"

/* ---- files ---- */

static char folder[64];

static int file_count(void)
{
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += entry->d_name[0] != '.' || strlen(entry->d_name) > 2;
    (void)closedir(directory);
    return count;
}

/* Save with another allocation failing each time, until there is no other. */
static void sweep_format(const char *name, struct prof_profile *profile)
{
    const struct exp_format *format;
    CHECK_OK(exp_format_by_name(&format, name, NULL));
    (void)strcpy(folder, "/tmp/watchfire-memory-XXXXXX");
    assert_non_null(mkdtemp(folder));
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/out", folder);

    struct exp_options options = {.with_threads = true};
    enum status status;
    unsigned long n = 0;
    do {
        struct diag diag = {0};
        allocations_fail(++n);
        status = exp_format_save(format, profile, &options, path, &diag);
        if (status == STATUS_OK) {
            CHECK_EQ(file_count(), 1);
            CHECK_EQ(unlink(path), 0);
        } else {
            CHECK(status == STATUS_NO_MEMORY || status == STATUS_SYSTEM);
            CHECK(strstr(diag.text, "cannot write '/tmp/") == diag.text);
            CHECK_EQ(file_count(), 0);
        }
    } while (allocations_restore());
    CHECK_OK(status);
    CHECK(n > 10);
    CHECK_EQ(rmdir(folder), 0);
    prof_profile_destroy(profile);
}

TEST(folded_survives_every_failing_allocation)
{
    sweep_format("folded", profile_story());
    sweep_format("folded", profile_large(60));
}

TEST(envelope_survives_every_failing_allocation)
{
    sweep_format("envelope", profile_story());
    sweep_format("envelope", profile_large(60));
}

TEST(svg_survives_every_failing_allocation)
{
    sweep_format("svg", profile_story());
    sweep_format("svg", profile_large(60));
}

/* ---- reports ---- */

static enum status write_report(const struct prof_profile *profile)
{
    struct exp_options options = {0};
    struct exp_report_view view = {.callers = "memcpy", .callees = "main"};
    struct exp_report *report = exp_report_create(profile, &options);
    struct exp_writer *writer = exp_writer_create_memory();
    enum status status = STATUS_NO_MEMORY;
    if (report != NULL && writer != NULL) {
        exp_report_write_text(report, &view, writer);
        exp_report_write_json(report, &view, writer);
        status = exp_writer_finish(writer, "report", NULL);
    }
    exp_writer_destroy(writer);
    exp_report_destroy(report);
    return status;
}

TEST(report_survives_every_failing_allocation)
{
    struct prof_profile *profile = profile_story();
    enum status status;
    unsigned long n = 0;
    do {
        allocations_fail(++n);
        status = write_report(profile);
        CHECK(status == STATUS_OK || status == STATUS_NO_MEMORY);
    } while (allocations_restore());
    CHECK_OK(status);
    CHECK(n > 10);
    prof_profile_destroy(profile);
}
