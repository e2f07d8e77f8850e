/* The ring of one processor; see the header. */
#include "profiler/tap/ring.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "profiler/tap/record.h"

enum { PAGE = 4096, WORD = 8 };

enum { EVERY_THREAD = -1, OURSELVES = 0 };

static int open_owner(const struct perf_event_attr *attr, int cpu)
{
    int fd = (int)syscall(
        SYS_perf_event_open, attr, EVERY_THREAD, cpu, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd >= 0 || (errno != EACCES && errno != EPERM))
        return fd;
    return (int)syscall(
        SYS_perf_event_open, attr, OURSELVES, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

enum status prof_tap_ring_open(
    struct prof_tap_ring *ring, int cpu, uint64_t bytes, struct diag *diag)
{
    struct perf_event_attr attr = {
        .size = sizeof attr,
        .type = PERF_TYPE_SOFTWARE,
        .config = PERF_COUNT_SW_DUMMY,
        .sample_period = 1,
        .sample_type = PROF_TAP_FIELDS,
        .exclude_kernel = 1,
        .exclude_hv = 1,
        .watermark = 1, /* of 0: half of it */
        .use_clockid = 1,
        .clockid = CLOCK_MONOTONIC};
    *ring = (struct prof_tap_ring){.cpu = cpu};
    ring->fd = open_owner(&attr, cpu);
    if (ring->fd < 0)
        return fail(diag, STATUS_SYSTEM, "perf_event_open");
    void *base = mmap(
        NULL, PAGE + bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, 0);
    if (base == MAP_FAILED) {
        enum status status = fail(
            diag, STATUS_NOT_PERMITTED,
            "no memory for a ring of perf's: %s; kernel.perf_event_mlock_kb "
            "(516 by default) and 'ulimit -l' bound it",
            strerror(errno));
        (void)close(ring->fd);
        return status;
    }
    ring->page = base;
    ring->data = (const uint8_t *)base + PAGE;
    ring->bytes = bytes;
    return STATUS_OK;
}

void prof_tap_ring_close(struct prof_tap_ring *ring)
{
    (void)munmap(ring->page, PAGE + ring->bytes);
    (void)close(ring->fd);
}

double prof_tap_ring_refresh(struct prof_tap_ring *ring)
{
    /* Pairs with the kernel's barrier before it moves the head. */
    ring->head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);
    return (double)(ring->head - ring->tail) / (double)ring->bytes;
}

static const uint8_t *at(const struct prof_tap_ring *ring, uint64_t position)
{
    return ring->data + (position & (ring->bytes - 1));
}

/* Records are multiples of 8 bytes: a header or a word never wraps. */
static const struct perf_event_header *header(const struct prof_tap_ring *ring)
{
    return (const void *)at(ring, ring->tail);
}

static void pass_to(struct prof_tap_ring *ring, uint64_t position)
{
    ring->tail = position;
    /* Pairs with the kernel's reading of it: we are done with the bytes. */
    __atomic_store_n(&ring->page->data_tail, position, __ATOMIC_RELEASE);
}

bool prof_tap_ring_has_next(struct prof_tap_ring *ring)
{
    if (ring->tail == ring->head)
        return false;
    uint64_t size = header(ring)->size;
    if (size >= sizeof(struct perf_event_header) + PROF_TAP_TIME_FROM_END &&
        size % WORD == 0 && size <= ring->head - ring->tail)
        return true;
    pass_to(ring, ring->head);
    return false;
}

const struct perf_event_header *prof_tap_ring_peek(
    const struct prof_tap_ring *ring, void *copy)
{
    const struct perf_event_header *next = header(ring);
    uint64_t until_end = ring->bytes - (ring->tail & (ring->bytes - 1));
    if (next->size <= until_end)
        return next;
    memcpy(copy, next, until_end);
    memcpy((char *)copy + until_end, ring->data, next->size - until_end);
    return copy;
}

uint64_t prof_tap_ring_time_ns(const struct prof_tap_ring *ring)
{
    const struct perf_event_header *next = header(ring);
    uint64_t time_ns;
    uint64_t where = next->type == PERF_RECORD_SAMPLE
                         ? ring->tail + PROF_TAP_SAMPLE_TIME_AT
                         : ring->tail + next->size - PROF_TAP_TIME_FROM_END;
    memcpy(&time_ns, at(ring, where), sizeof time_ns);
    return time_ns;
}

void prof_tap_ring_pass(struct prof_tap_ring *ring)
{
    pass_to(ring, ring->tail + header(ring)->size);
}
