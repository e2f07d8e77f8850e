/* The files a command leaves. */
#include "tools/outputs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exporters/formats.h"

enum status outputs_add(
    struct outputs *outputs, const char *path, const char *format_name,
    struct diag *diag)
{
    const struct exp_format *format = NULL;
    if (outputs->count == OUTPUTS_MAX)
        return fail(
            diag, STATUS_USAGE, "more than %d outputs: '%s'", OUTPUTS_MAX,
            path);
    enum status status = format_name
                             ? exp_format_by_name(&format, format_name, diag)
                             : exp_format_by_path(&format, path, diag);
    if (status != STATUS_OK)
        return status;
    outputs->rows[outputs->count++] =
        (struct output){.path = path, .format = format};
    return STATUS_OK;
}

/* The folder of `path`, in `buffer`. */
static const char *folder_of(const char *path, char *buffer, size_t bytes)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return ".";
    if (slash == path)
        return "/";
    (void)snprintf(buffer, bytes, "%.*s", (int)(slash - path), path);
    return buffer;
}

static bool is_replaced(const char *path)
{
    struct stat stat_buffer;
    return strcmp(path, "-") != 0 &&
           (stat(path, &stat_buffer) != 0 || S_ISREG(stat_buffer.st_mode));
}

/* A file is replaced by renaming, which asks for its folder's permission. */
static enum status check_writable(const char *path, struct diag *diag)
{
    char buffer[4096];
    struct stat stat_buffer;
    if (strcmp(path, "-") == 0)
        return STATUS_OK;
    if (stat(path, &stat_buffer) == 0 && S_ISDIR(stat_buffer.st_mode)) {
        errno = EISDIR;
        return fail(diag, STATUS_SYSTEM, "cannot write '%s'", path);
    }
    const char *asked =
        is_replaced(path) ? folder_of(path, buffer, sizeof buffer) : path;
    if (access(asked, W_OK) != 0)
        return fail(diag, STATUS_SYSTEM, "cannot write '%s'", path);
    return STATUS_OK;
}

static enum status begin_recording(struct output *output, struct diag *diag)
{
    if (!is_replaced(output->path))
        return fail(
            diag, STATUS_UNSUPPORTED,
            "cannot write '%s': a perf.data recording needs a regular file",
            output->path);
    if (asprintf(&output->partial_path, "%s.partial", output->path) < 0) {
        output->partial_path = NULL;
        return fail(diag, STATUS_NO_MEMORY, "out of memory");
    }
    /* Never through a link that somebody laid under this name. */
    (void)unlink(output->partial_path);
    int fd = open(
        output->partial_path,
        O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail(diag, STATUS_SYSTEM, "cannot write '%s'", output->path);
    enum status status = prof_recording_adopt_fd(fd, &output->recording, diag);
    if (status != STATUS_OK) {
        (void)close(fd);
        (void)unlink(output->partial_path);
    }
    return status;
}

enum status outputs_begin(struct outputs *outputs, struct diag *diag)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < outputs->count && status == STATUS_OK; i++) {
        struct output *output = &outputs->rows[i];
        status = check_writable(output->path, diag);
        if (status == STATUS_OK && output->format->id == EXP_FORMAT_DATA)
            status = begin_recording(output, diag);
    }
    if (status != STATUS_OK)
        outputs_abandon(outputs);
    return status;
}

bool outputs_sync(struct outputs *outputs, const struct prof_profile *profile)
{
    bool is_in_step = true;
    for (size_t i = 0; i < outputs->count; i++) {
        struct output *output = &outputs->rows[i];
        if (output->recording == NULL)
            continue;
        struct diag diag = {.status = STATUS_OK};
        if (output->failure.status == STATUS_OK &&
            prof_recording_sync(output->recording, profile, &diag) != STATUS_OK)
            output->failure = diag;
        is_in_step &= output->failure.status == STATUS_OK;
    }
    return is_in_step;
}

bool outputs_want_times(const struct outputs *outputs)
{
    bool are_wanted = false;
    for (size_t i = 0; i < outputs->count; i++)
        are_wanted |= outputs->rows[i].format->id == EXP_FORMAT_ENVELOPE;
    return are_wanted;
}

bool outputs_want_readings(const struct outputs *outputs)
{
    bool are_wanted = false;
    for (size_t i = 0; i < outputs->count; i++)
        are_wanted |= outputs->rows[i].format->id == EXP_FORMAT_DATA;
    return are_wanted || outputs_want_times(outputs);
}

void outputs_write_interim(
    const struct outputs *outputs, const struct prof_profile *profile)
{
    for (size_t i = 0; i < outputs->count; i++) {
        const struct output *output = &outputs->rows[i];
        if (output->recording == NULL && is_replaced(output->path))
            (void)!exp_format_save(
                output->format, profile, &outputs->options, output->path, NULL);
    }
}

static enum status finish_recording(
    struct output *output, const struct prof_profile *profile,
    struct diag *diag)
{
    struct diag cause = {.status = STATUS_OK};
    enum status status =
        prof_recording_finish(output->recording, profile, &cause);
    prof_recording_destroy(output->recording);
    output->recording = NULL;
    if (status == STATUS_LIMIT)
        cause = output->failure; /* which kept it from being in step */
    if (status != STATUS_OK)
        return fail(
            diag, STATUS_LIMIT,
            "cannot write '%.100s': %.200s; what there was room for is in "
            "'%.100s'",
            output->path, cause.text, output->partial_path);
    if (rename(output->partial_path, output->path) != 0) {
        status = fail(diag, STATUS_SYSTEM, "cannot write '%s'", output->path);
        (void)unlink(output->partial_path);
    }
    return status;
}

size_t outputs_finish(
    struct outputs *outputs, const struct prof_profile *profile,
    void (*report)(void *context, const struct diag *diag), void *context)
{
    size_t failed = 0;
    for (size_t i = 0; i < outputs->count; i++) {
        struct output *output = &outputs->rows[i];
        struct diag diag = {.status = STATUS_OK};
        enum status status = output->recording
                                 ? finish_recording(output, profile, &diag)
                                 : exp_format_save(
                                       output->format, profile,
                                       &outputs->options, output->path, &diag);
        if (status != STATUS_OK) {
            failed++;
            output->failure = diag;
            report(context, &diag);
        } else {
            output->failure.status = STATUS_OK;
        }
    }
    outputs_abandon(outputs);
    return failed;
}

void outputs_abandon(struct outputs *outputs)
{
    for (size_t i = 0; i < outputs->count; i++) {
        struct output *output = &outputs->rows[i];
        if (output->recording != NULL) {
            prof_recording_destroy(output->recording);
            (void)unlink(output->partial_path);
        }
        free(output->partial_path);
        output->recording = NULL;
        output->partial_path = NULL;
    }
}
