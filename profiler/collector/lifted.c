/* Comparing a process's memory with a file. */
#include "profiler/collector/lifted.h"

#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* Code repeats itself, but not so long a piece of it. */
enum { SAMPLES = 6, SAMPLE_BYTES = 256, ALIKE_MIN = 2 };

/* 1: the same; 0: the same nothing, which proves nothing; -1: not the same. */
static int compare(uint32_t pid, uint64_t address, int fd, uint64_t offset)
{
    static const char nothing[SAMPLE_BYTES];
    char memory[SAMPLE_BYTES], file[SAMPLE_BYTES];
    struct iovec here = {.iov_base = memory, .iov_len = sizeof memory};
    struct iovec there = {
        .iov_base = (void *)(uintptr_t)address, .iov_len = sizeof memory};
    if (pread(fd, file, sizeof file, (off_t)offset) != (ssize_t)sizeof file ||
        process_vm_readv((pid_t)pid, &here, 1, &there, 1, 0) !=
            (ssize_t)sizeof memory ||
        memcmp(memory, file, sizeof file) != 0)
        return -1;
    return memcmp(file, nothing, sizeof file) != 0;
}

bool prof_lifted_is_from(
    uint32_t pid, const struct prof_maps_line *line,
    const struct prof_maps_line *file, uint64_t offset)
{
    uint64_t bytes = line->end - line->start;
    int fd = prof_maps_open_file(pid, file);
    if (fd < 0)
        return false;
    /* From the start on; the end may be padding. */
    int alike = 0;
    for (uint64_t i = 0; i < SAMPLES && alike >= 0; i++) {
        uint64_t at = bytes / (SAMPLES + 1) * i;
        int same = compare(pid, line->start + at, fd, offset + at);
        alike = same < 0 ? -1 : alike + same;
    }
    (void)close(fd);
    return alike >= ALIKE_MIN;
}
