/* The annex's samples on their way into a recording. */
#include "profiler/recording/perf_spool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

#include "profiler/recording/perf_annex.h"

enum { CHUNK_BYTES = 1 << 20 };

void prof_perf_spool_init(struct prof_perf_spool *spool)
{
    *spool = (struct prof_perf_spool){.fd = -1};
}

void prof_perf_spool_fini(struct prof_perf_spool *spool)
{
    prof_buffer_fini(&spool->recent);
    if (spool->fd >= 0)
        (void)close(spool->fd);
    spool->fd = -1;
}

void prof_perf_spool_put(
    struct prof_perf_spool *spool, const struct prof_profile *profile,
    const struct prof_sample *sample)
{
    prof_perf_annex_put_sample(
        &spool->recent, profile, sample, spool->previous_ns);
    spool->previous_ns = sample->time_ns;
    spool->rows++;
}

uint64_t prof_perf_spool_bytes(const struct prof_perf_spool *spool)
{
    return spool->written + spool->recent.count;
}

/* A file that has no name, in the folder of the open file `beside`; or -1. */
static int open_nameless(int beside)
{
    char link[32], path[PATH_MAX];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", beside);
    ssize_t length = readlink(link, path, sizeof path - sizeof ".spool");
    if (length <= 0 || path[0] != '/')
        return -1;
    path[length] = '\0';
    char *slash = strrchr(path, '/');
    *slash = '\0';
    int fd =
        open(slash == path ? "/" : path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;

    /* Some file systems have no O_TMPFILE: then a name, for a moment. */
    *slash = '/';
    memcpy(path + length, ".spool", sizeof ".spool");
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0)
        (void)unlink(path);
    return fd;
}

enum status prof_perf_spool_drain(
    struct prof_perf_spool *spool, int beside, struct diag *diag)
{
    struct prof_buffer *recent = &spool->recent;
    if (recent->count < CHUNK_BYTES || spool->is_refused)
        return STATUS_OK;
    if (spool->fd < 0)
        spool->fd = open_nameless(beside);
    spool->is_refused = spool->fd < 0;
    if (spool->is_refused)
        return STATUS_OK;
    enum status status = prof_bytes_write_at(
        spool->fd, recent->data, recent->count, spool->written, diag);
    if (status != STATUS_OK)
        return status;
    spool->written += recent->count;
    recent->count = 0;
    return STATUS_OK;
}

enum status prof_perf_spool_copy(
    const struct prof_perf_spool *spool, int fd, uint64_t offset, uint32_t *sum,
    struct diag *diag)
{
    unsigned char chunk[1 << 16];
    for (uint64_t at = 0; at < spool->written;) {
        uint64_t left = spool->written - at;
        size_t wanted = left < sizeof chunk ? (size_t)left : sizeof chunk;
        ssize_t got = pread(spool->fd, chunk, wanted, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0)
            errno = EIO; /* somebody cut it short */
        if (got <= 0)
            return fail(diag, STATUS_SYSTEM, "read the recording's samples");
        *sum = (uint32_t)crc32_z(*sum, chunk, (size_t)got);
        enum status status =
            prof_bytes_write_at(fd, chunk, (size_t)got, offset + at, diag);
        if (status != STATUS_OK)
            return status;
        at += (uint64_t)got;
    }
    const struct prof_buffer *recent = &spool->recent;
    if (recent->count > 0)
        *sum = (uint32_t)crc32_z(*sum, recent->data, recent->count);
    return prof_bytes_write_at(
        fd, recent->data, recent->count, offset + spool->written, diag);
}
