/* One sample of a running thread; see the header. */
#include "profiler/attach/glimpse.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "profiler/attach/perf_regs.h"
#include "profiler/base/clock.h"
#include "profiler/base/proc.h"

/* Of time in which the thread runs. */
#define PERIOD_NS   UINT64_C(20000)
#define PATIENCE_NS UINT64_C(20000000)
#define YIELDING_NS UINT64_C(200000)

/* For one that wants to run and may not, among many: of 1 600 looks at a load
 * of 10 on two processors, it was not yet its turn after 160 ms in three. */
#define TURN_NS     UINT64_C(250000000)

/* A sample is little more than the stack it holds. */
enum { RING_BYTES = 131072, RECORD_BYTES = 65536 + 1024 };

struct prof_glimpser {
    bool is_user_only; /* kernel time is not permitted */
    _Alignas(8) uint8_t record[RECORD_BYTES];
};

/* In the order of the bits of attr.sample_type, after the header. */
struct sample_head {
    struct perf_event_header header;
    uint32_t pid, tid;
    uint64_t regs_abi; /* PERF_SAMPLE_REGS_ABI_NONE: no registers follow */
    uint64_t regs[];
};

static int open_event(struct prof_glimpser *glimpser, uint32_t tid)
{
    struct perf_event_attr attr = {
        .size = sizeof attr,
        .type = PERF_TYPE_SOFTWARE,
        .config = PERF_COUNT_SW_CPU_CLOCK,
        .sample_period = PERIOD_NS,
        .sample_type =
            PERF_SAMPLE_TID | PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER,
        .sample_regs_user = prof_perf_regs_mask,
        .sample_stack_user = PROF_GLIMPSE_STACK_BYTES,
        .exclude_kernel = glimpser->is_user_only,
        .exclude_hv = 1,
        .disabled = 1};
    long fd = syscall(
        SYS_perf_event_open, &attr, (pid_t)tid, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd < 0 && errno != ESRCH && !glimpser->is_user_only) {
        glimpser->is_user_only = true;
        return open_event(glimpser, tid);
    }
    return (int)fd;
}

/* The first record of the ring, copied; false while there is none. */
static bool take_record(struct prof_glimpser *glimpser, void *ring, size_t page)
{
    struct perf_event_mmap_page *head = ring;
    /* Pairs with the kernel's store after it has written the record. */
    uint64_t end = __atomic_load_n(&head->data_head, __ATOMIC_ACQUIRE);
    uint64_t begin = head->data_tail;
    while (begin < end) {
        const uint8_t *data = (const uint8_t *)ring + page;
        struct perf_event_header header;
        /* Nothing wraps: there is one sample, and room for it. */
        memcpy(&header, data + begin, sizeof header);
        if (header.size < sizeof header || begin + header.size > RING_BYTES)
            return false;
        if (header.type == PERF_RECORD_SAMPLE) {
            memcpy(glimpser->record, data + begin, header.size);
            return true;
        }
        begin += header.size;
    }
    return false;
}

/* Whether its thread may still run soon, after so long. */
static bool is_worth_waiting(uint32_t tid, uint64_t passed_ns)
{
    return passed_ns <= PATIENCE_NS ||
           (passed_ns <= TURN_NS && proc_task_state(tid, tid) == 'R');
}

static bool wait_for_record(
    struct prof_glimpser *glimpser, uint32_t tid, void *ring, size_t page)
{
    static const struct timespec pause = {.tv_nsec = 50000};
    uint64_t since_ns = clock_now_ns(CLOCK_MONOTONIC), passed_ns = 0;
    while (!take_record(glimpser, ring, page)) {
        if (!is_worth_waiting(tid, passed_ns))
            return false;
        if (passed_ns < YIELDING_NS)
            (void)sched_yield();
        else
            (void)nanosleep(&pause, NULL);
        passed_ns = clock_now_ns(CLOCK_MONOTONIC) - since_ns;
    }
    return true;
}

/* Registers, then the stack: its room, the bytes, and how many are filled. */
static bool read_record(
    const struct prof_glimpser *glimpser, struct prof_glimpse *glimpse)
{
    const struct sample_head *head = (const void *)glimpser->record;
    if (head->regs_abi != PERF_SAMPLE_REGS_ABI_64)
        return false;
    const uint64_t *room = head->regs + prof_perf_regs_count;
    const uint8_t *stack = (const uint8_t *)(room + 1);
    const uint8_t *end = glimpser->record + head->header.size;
    if (*room == 0 || *room > PROF_GLIMPSE_STACK_BYTES ||
        (size_t)(end - stack) < *room + sizeof(uint64_t))
        return false;
    prof_perf_regs_read(head->regs, &glimpse->regs);
    glimpse->stack = stack;
    memcpy(&glimpse->stack_bytes, stack + *room, sizeof(uint64_t));
    return glimpse->stack_bytes <= *room;
}

struct prof_glimpser *prof_glimpser_create(void)
{
    return calloc(1, sizeof(struct prof_glimpser));
}

void prof_glimpser_destroy(struct prof_glimpser *glimpser)
{
    free(glimpser);
}

enum prof_glimpse_end prof_glimpser_look(
    struct prof_glimpser *glimpser, uint32_t tid, struct prof_glimpse *glimpse)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    int fd = open_event(glimpser, tid);
    if (fd < 0)
        return errno == ESRCH ? PROF_GLIMPSE_GONE : PROF_GLIMPSE_REFUSED;
    enum prof_glimpse_end end = PROF_GLIMPSE_REFUSED;
    void *ring = mmap(
        NULL, page + RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (ring != MAP_FAILED) {
        (void)ioctl(fd, PERF_EVENT_IOC_REFRESH, 1); /* one sample */
        end = wait_for_record(glimpser, tid, ring, page) &&
                      read_record(glimpser, glimpse)
                  ? PROF_GLIMPSE_DONE
                  : PROF_GLIMPSE_NOTHING;
        (void)munmap(ring, page + RING_BYTES);
    }
    (void)close(fd);
    return end;
}
