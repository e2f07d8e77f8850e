/* Reading another process's stack; see the header. */
#include "profiler/unwind/process_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE_BYTES UINT64_C(4096)

/* A filter may refuse the call; the file then gives the same bytes, at three
 * times the cost. */
static ssize_t copy_from_file(
    pid_t pid, uint64_t address, void *bytes, uint64_t count)
{
    char name[32];
    (void)snprintf(name, sizeof name, "/proc/%d/mem", (int)pid);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t got = pread(fd, bytes, count, (off_t)address);
    (void)close(fd);
    return got;
}

uint64_t prof_process_copy(
    pid_t pid, uint64_t address, void *bytes, uint64_t count)
{
    struct iovec local = {bytes, count};
    struct iovec remote = {(void *)(uintptr_t)address, count};
    ssize_t got = process_vm_readv(pid, &local, 1, &remote, 1, 0);
    if (got < 0 && (errno == EPERM || errno == ENOSYS))
        got = copy_from_file(pid, address, bytes, count);
    return got > 0 ? (uint64_t)got : 0;
}

/* Stacks are read upwards: most of the window lies above the address, and a
 * little below it, for what a frame saved there. */
static bool refill(struct prof_reader *window, uint64_t address)
{
    struct prof_process_reader *reader = window->owner;
    uint64_t low = address & ~(PAGE_BYTES - 1);
    uint64_t got = prof_process_copy(
        reader->pid, low, reader->bytes, sizeof reader->bytes);
    prof_reader_set_window(
        window, low, low + got, (uint64_t)(uintptr_t)reader->bytes);
    return got > 0;
}

void prof_process_reader_init(struct prof_process_reader *reader, pid_t pid)
{
    reader->pid = pid;
    reader->reader = (struct prof_reader){.refill = refill, .owner = reader};
}
