/*
 * Every allocation of every exporter fails once: no crash, no leak, no file
 * that is not whole. The linker sends malloc and its kin here.
 */
#include "tests/harness.h"

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exporters/format.h"
#include "exporters/report.h"
#include "exporters/writer.h"
#include "tests/exporters/profiles.h"

static long allowed = -1; /* allocations until one fails; negative: no limit */

static bool is_refused(void)
{
    if (allowed < 0)
        return false;
    return allowed-- == 0;
}

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *block, size_t bytes);
char *__real_strdup(const char *text);
char *__real_realpath(const char *path, char *resolved);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *block, size_t bytes);
char *__wrap_strdup(const char *text);
char *__wrap_realpath(const char *path, char *resolved);

void *__wrap_malloc(size_t bytes)
{
    return is_refused() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return is_refused() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *block, size_t bytes)
{
    return is_refused() ? NULL : __real_realloc(block, bytes);
}

char *__wrap_strdup(const char *text)
{
    return is_refused() ? NULL : __real_strdup(text);
}

char *__wrap_realpath(const char *path, char *resolved)
{
    return is_refused() ? NULL : __real_realpath(path, resolved);
}

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

/* Save with one more allocation allowed each time, until it succeeds. */
static void sweep_format(const char *name, struct prof_profile *profile)
{
    const struct exp_format *format;
    CHECK_OK(exp_format_by_name(&format, name, NULL));
    (void)strcpy(folder, "/tmp/watchfire-memory-XXXXXX");
    assert_non_null(mkdtemp(folder));
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/out", folder);

    struct exp_options options = {.with_threads = true};
    enum status status = STATUS_NO_MEMORY;
    long limit = 0;
    for (; status != STATUS_OK && limit < 10000; limit++) {
        struct diag diag = {0};
        allowed = limit;
        status = exp_format_save(format, profile, &options, path, &diag);
        allowed = -1;
        if (status != STATUS_OK) {
            CHECK(status == STATUS_NO_MEMORY || status == STATUS_SYSTEM);
            CHECK(strstr(diag.text, "cannot write '/tmp/") == diag.text);
            CHECK_EQ(file_count(), 0);
        }
    }
    CHECK_OK(status);
    CHECK(limit > 10);
    CHECK_EQ(file_count(), 1);
    CHECK_EQ(unlink(path), 0);
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
    enum status status = STATUS_NO_MEMORY;
    long limit = 0;
    for (; status != STATUS_OK && limit < 10000; limit++) {
        allowed = limit;
        status = write_report(profile);
        allowed = -1;
        CHECK(status == STATUS_OK || status == STATUS_NO_MEMORY);
    }
    CHECK_OK(status);
    CHECK(limit > 10);
    prof_profile_destroy(profile);
}
