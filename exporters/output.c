/* An output file that appears whole or not at all. */
#include "exporters/output.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exporters/writer.h"

struct exp_output {
    struct exp_writer *writer;
    int fd;
    char *path;      /* as the user gave it, for sentences */
    char *target;    /* what the commit replaces; NULL: written directly */
    char *temporary; /* what is written until then; NULL: nothing yet */
};

/* Longer than ".watchfire-", 16 hexadecimal digits, ".tmp" and the NUL. */
enum { TEMPORARY_BYTES = 48, ATTEMPTS = 16 };

static enum status no_memory(const char *path, struct diag *diag)
{
    return fail(
        diag, STATUS_NO_MEMORY, "cannot write '%s': %s", path,
        status_text(STATUS_NO_MEMORY));
}

static enum status refused(const char *path, struct diag *diag)
{
    return fail(diag, STATUS_SYSTEM, "cannot write '%s'", path);
}

static bool is_standard_output(const char *path)
{
    /* Opening /dev/stdout anew would start at offset 0 of the file behind. */
    return strcmp(path, "-") == 0 || strcmp(path, "/dev/stdout") == 0;
}

/* Follow links to the file that a commit is to replace. */
static enum status find_target(
    struct exp_output *output, bool exists, struct diag *diag)
{
    if (!exists) {
        output->target = strdup(output->path);
        return output->target ? STATUS_OK : no_memory(output->path, diag);
    }
    output->target = realpath(output->path, NULL);
    if (output->target == NULL)
        return refused(output->path, diag);
    /* A rename asks the directory alone; the file's own mode counts too. */
    if (faccessat(AT_FDCWD, output->target, W_OK, AT_EACCESS) != 0)
        return refused(output->path, diag);
    return STATUS_OK;
}

/* Try one name beside the target; EEXIST is for the caller to try again. */
static int create_temporary(struct exp_output *output, size_t directory_bytes)
{
    uint64_t random;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        return -1;
    (void)snprintf(
        output->temporary + directory_bytes, TEMPORARY_BYTES,
        ".watchfire-%016" PRIx64 ".tmp", random);
    return open(
        output->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
        0666);
}

static enum status open_temporary(struct exp_output *output, struct diag *diag)
{
    const char *slash = strrchr(output->target, '/');
    size_t directory_bytes = slash ? (size_t)(slash + 1 - output->target) : 0;
    output->temporary = malloc(directory_bytes + TEMPORARY_BYTES);
    if (output->temporary == NULL)
        return no_memory(output->path, diag);
    memcpy(output->temporary, output->target, directory_bytes);

    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        output->fd = create_temporary(output, directory_bytes);
        if (output->fd >= 0)
            return STATUS_OK;
        if (errno != EEXIST)
            break;
    }
    free(output->temporary);
    output->temporary = NULL;
    return refused(output->path, diag);
}

static enum status open_direct(struct exp_output *output, struct diag *diag)
{
    output->fd = open(output->path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    return output->fd < 0 ? refused(output->path, diag) : STATUS_OK;
}

static enum status open_descriptor(struct exp_output *output, struct diag *diag)
{
    if (is_standard_output(output->path)) {
        output->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
        return output->fd < 0 ? refused(output->path, diag) : STATUS_OK;
    }

    struct stat info;
    bool exists = stat(output->path, &info) == 0;
    if (!exists && errno != ENOENT)
        return refused(output->path, diag);
    if (exists && !S_ISREG(info.st_mode))
        return open_direct(output, diag);

    enum status status = find_target(output, exists, diag);
    return status != STATUS_OK ? status : open_temporary(output, diag);
}

enum status exp_output_open(
    struct exp_output **output, const char *path, struct diag *diag)
{
    struct exp_output *made = malloc(sizeof *made);
    if (made == NULL)
        return no_memory(path, diag);
    *made = (struct exp_output){.fd = -1, .path = strdup(path)};

    enum status status =
        made->path ? open_descriptor(made, diag) : no_memory(path, diag);
    if (status == STATUS_OK) {
        made->writer = exp_writer_create(made->fd);
        if (made->writer == NULL)
            status = no_memory(path, diag);
    }
    if (status != STATUS_OK) {
        exp_output_abandon(made);
        return status;
    }
    *output = made;
    return STATUS_OK;
}

struct exp_writer *exp_output_writer(struct exp_output *output)
{
    return output->writer;
}

/* Some file systems report a full disk or a quota only here. */
static enum status close_descriptor(
    struct exp_output *output, struct diag *diag)
{
    int fd = output->fd;
    output->fd = -1;
    if (close(fd) != 0 && errno != EINTR)
        return refused(output->path, diag);
    return STATUS_OK;
}

static enum status give_name(struct exp_output *output, struct diag *diag)
{
    if (output->temporary == NULL)
        return STATUS_OK;
    if (rename(output->temporary, output->target) != 0)
        return refused(output->path, diag);
    free(output->temporary);
    output->temporary = NULL;
    return STATUS_OK;
}

enum status exp_output_commit(struct exp_output *output, struct diag *diag)
{
    const char *name =
        is_standard_output(output->path) ? "standard output" : output->path;
    enum status status = exp_writer_finish(output->writer, name, diag);
    if (status == STATUS_OK)
        status = close_descriptor(output, diag);
    if (status == STATUS_OK)
        status = give_name(output, diag);
    exp_output_abandon(output);
    return status;
}

void exp_output_abandon(struct exp_output *output)
{
    if (output == NULL)
        return;
    exp_writer_destroy(output->writer);
    if (output->fd >= 0)
        (void)close(output->fd);
    if (output->temporary != NULL)
        (void)unlink(output->temporary);
    free(output->temporary);
    free(output->target);
    free(output->path);
    free(output);
}
