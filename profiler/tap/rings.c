/* The rings that the kernel writes to; see the header. */
#include "profiler/tap/rings.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "profiler/tap/refusal.h"

/* All rings together, and one of them at most. */
#define RINGS_BYTES (UINT64_C(32) << 20)
#define RING_BYTES  (UINT64_C(8) << 20)

/*
 * How much of a stack is copied: as much as lets a ring hold what comes while
 * we may have to wait for a processor. A record ends at 64 KiB, and takes that
 * room in the ring whether there is so much stack or not.
 *
 * Who gets less memory for rings than is asked for is an ordinary user, whose
 * reader is not ahead of others either (lead.h), and waits longer. Of 16
 * threads 400 frames deep at a load of 20 to 50 on two processors, in turns:
 * for 30 ms, 42, 44 and 56 % of the CPU time sampled, for 150 ms, 83, 89 and
 * 91 %, and for 300 ms no more.
 *
 * To copy costs a quarter of a microsecond for each KiB that is there: in the
 * middle of network calls a sample held a thread for 21 to 26 us by the timer's
 * interrupt alone, 7 to 10 more with the kernel's call chain, and with
 * registers and copy 2 to 5 more on a stack of 8 KiB, 9 to 12 on one of 40,
 * where a copy of 8 KiB saved 5 to 8 (tests/bench/run --only sample). Shallow
 * stacks, as those of servers, cost no more for what might be copied; and the
 * rest of a stack that is deeper is seldom known for sure.
 */
enum { STACK_MOST = 49152, STACK_UNIT = 1024 };
#define HELD_NS      UINT64_C(30000000)
#define HELD_LONG_NS UINT64_C(150000000)

static uint64_t power_of_two(uint64_t most)
{
    uint64_t found = 1;
    while (found * 2 <= most)
        found *= 2;
    return found;
}

uint32_t prof_tap_rings_choose_copy(
    uint64_t ring_bytes, uint64_t period_ns, bool is_limited)
{
    uint64_t held_ns = is_limited ? HELD_LONG_NS : HELD_NS;
    uint64_t samples = held_ns / period_ns + 1;
    uint64_t bytes = ring_bytes / samples / STACK_UNIT * STACK_UNIT;
    if (bytes < PROF_TAP_STACK_LEAST)
        return PROF_TAP_STACK_LEAST;
    return bytes < STACK_MOST ? (uint32_t)bytes : STACK_MOST;
}

static uint64_t most_ring_bytes(uint32_t rings)
{
    uint64_t bytes = power_of_two(RINGS_BYTES / rings);
    if (bytes < PROF_TAP_RING_LEAST)
        return PROF_TAP_RING_LEAST;
    return bytes < RING_BYTES ? bytes : RING_BYTES;
}

static void close_all(struct prof_tap_rings *rings)
{
    for (uint32_t i = 0; i < rings->count; i++)
        prof_tap_ring_close(&rings->rows[i]);
    rings->count = 0;
}

/* One of `bytes` for each of `count` processors that is on. */
static enum status open_equal(
    struct prof_tap_rings *rings, uint32_t count, uint64_t bytes,
    struct diag *diag)
{
    for (uint32_t cpu = 0; cpu < count; cpu++) {
        struct prof_tap_ring *ring = &rings->rows[rings->count];
        enum status status = prof_tap_ring_open(ring, (int)cpu, bytes, diag);
        if (status == STATUS_SYSTEM && errno == ENODEV)
            continue;
        if (status == STATUS_SYSTEM)
            return prof_tap_refusal(errno, diag);
        if (status != STATUS_OK)
            return status;
        rings->count++;
        struct epoll_event event = {.events = EPOLLIN, .data.fd = ring->fd};
        if (epoll_ctl(rings->epoll, EPOLL_CTL_ADD, ring->fd, &event) != 0)
            return fail(diag, STATUS_SYSTEM, "epoll_ctl");
    }
    return rings->count > 0 ? STATUS_OK : prof_tap_refusal(ENODEV, diag);
}

/* As large as the system permits: it has one limit for all of a user's. */
enum status prof_tap_rings_open(
    struct prof_tap_rings *rings, uint64_t period_ns, struct diag *diag)
{
    long configured = sysconf(_SC_NPROCESSORS_CONF);
    uint32_t count = configured > 0 ? (uint32_t)configured : 1;
    *rings = (struct prof_tap_rings){.epoll = epoll_create1(EPOLL_CLOEXEC)};
    if (rings->epoll < 0)
        return fail(diag, STATUS_SYSTEM, "epoll_create1");
    rings->rows = calloc(count, sizeof *rings->rows);
    rings->copy = malloc(PROF_TAP_RECORD_BYTES);
    if (rings->rows == NULL || rings->copy == NULL)
        return fail(diag, STATUS_NO_MEMORY, "out of memory");
    const uint64_t most = most_ring_bytes(count);
    for (uint64_t bytes = most;; bytes /= 2) {
        enum status status = open_equal(rings, count, bytes, diag);
        rings->stack_bytes =
            prof_tap_rings_choose_copy(bytes, period_ns, bytes < most);
        if (status != STATUS_NOT_PERMITTED || bytes <= PROF_TAP_RING_LEAST)
            return status;
        close_all(rings);
    }
}

void prof_tap_rings_close(struct prof_tap_rings *rings)
{
    close_all(rings);
    if (rings->epoll >= 0)
        (void)close(rings->epoll);
    free(rings->rows);
    free(rings->copy);
    *rings = (struct prof_tap_rings){.epoll = -1};
}

double prof_tap_rings_refresh(struct prof_tap_rings *rings)
{
    double fullest = 0;
    for (uint32_t i = 0; i < rings->count; i++) {
        double share = prof_tap_ring_refresh(&rings->rows[i]);
        fullest = share > fullest ? share : fullest;
    }
    return fullest;
}

struct prof_tap_ring *prof_tap_rings_next(
    struct prof_tap_rings *rings, uint64_t limit_ns)
{
    struct prof_tap_ring *oldest = NULL;
    for (uint32_t i = 0; i < rings->count; i++) {
        struct prof_tap_ring *ring = &rings->rows[i];
        if (!prof_tap_ring_has_next(ring))
            continue;
        uint64_t time_ns = prof_tap_ring_time_ns(ring);
        if (time_ns < limit_ns) {
            limit_ns = time_ns;
            oldest = ring;
        }
    }
    return oldest;
}
