/* Any recording -> a profile. */
#include "profiler/recording/reader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "profiler/recording/folded_reader.h"
#include "profiler/recording/perf_reader.h"

enum { HEAD_BYTES = 4096, COPY_BYTES = 1 << 16 };

/*
 * The formats have their index at the end: what cannot seek is copied to a
 * file without a name first.
 */
static enum status spool(FILE *input, FILE *copy, struct diag *diag)
{
    static const char what[] = "standard input";
    char buffer[COPY_BYTES];
    size_t got;
    while ((got = fread(buffer, 1, sizeof buffer, input)) > 0) {
        if (fwrite(buffer, 1, got, copy) != got)
            return fail(diag, STATUS_SYSTEM, "copy %s to a file", what);
    }
    if (ferror(input))
        return fail(diag, STATUS_SYSTEM, "read %s", what);
    if (fflush(copy) != 0)
        return fail(diag, STATUS_SYSTEM, "copy %s to a file", what);
    rewind(copy);
    return STATUS_OK;
}

static enum status read_by_content(
    FILE *input, const char *name, struct prof_profile *profile,
    struct diag *diag)
{
    char head[HEAD_BYTES];
    ssize_t got = pread(fileno(input), head, sizeof head, 0);
    if (got < 0 && errno == EISDIR)
        return fail(
            diag, STATUS_UNSUPPORTED,
            "'%s' is a folder, such as `perf record --threads` makes; record "
            "without that option",
            name);
    if (got < 0)
        return fail(diag, STATUS_SYSTEM, "read '%s'", name);
    size_t bytes = (size_t)got;
    if (bytes == 0)
        return fail(diag, STATUS_MALFORMED, "'%s' is empty", name);
    if (prof_perf_is_perf_data(head, bytes))
        return prof_perf_read(fileno(input), name, profile, diag);
    if (prof_folded_is_folded(head, bytes))
        return prof_folded_read(input, name, profile, diag);
    return fail(
        diag, STATUS_UNSUPPORTED,
        "'%s' is neither perf.data nor folded stacks; `perf record`, "
        "watchfire and stackcollapse scripts write these",
        name);
}

/* Read from the start of an open file, or what a pipe still gives. */
static enum status read_stream(
    FILE *input, const char *name, struct prof_profile *profile,
    struct diag *diag)
{
    if (lseek(fileno(input), 0, SEEK_CUR) == 0)
        return read_by_content(input, name, profile, diag);
    FILE *copy = tmpfile();
    if (copy == NULL)
        return fail(diag, STATUS_SYSTEM, "make a file for '%s'", name);
    enum status status = spool(input, copy, diag);
    if (status == STATUS_OK)
        status = read_by_content(copy, name, profile, diag);
    (void)fclose(copy);
    return status;
}

enum status prof_recording_read(
    const char *path, struct prof_profile *profile, struct diag *diag)
{
    if (diag != NULL)
        *diag = (struct diag){.status = STATUS_OK};
    if (strcmp(path, "-") == 0)
        return read_stream(stdin, "standard input", profile, diag);
    FILE *input = fopen(path, "rbe");
    if (input == NULL)
        return fail(diag, STATUS_SYSTEM, "open '%s'", path);
    enum status status = read_stream(input, path, profile, diag);
    (void)fclose(input);
    return status;
}
