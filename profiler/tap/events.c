/* perf events that see the threads which are watched; see the header. */
#include "profiler/tap/events.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "profiler/attach/perf_regs.h"
#include "profiler/tap/refusal.h"

/* Descriptors for maps, modules and outputs, while threads take the others. */
#define FDS_SPARED      32

/* Of an event that only asks whether it may be opened. */
#define ASKED_PERIOD_NS UINT64_C(30000000)

static struct perf_event_attr make_attr(const struct prof_tap_wanted *wanted)
{
    return (struct perf_event_attr){
        .size = sizeof(struct perf_event_attr),
        .type = PERF_TYPE_SOFTWARE,
        .config = PERF_COUNT_SW_CPU_CLOCK,
        .sample_period = wanted->period_ns,
        .sample_type = PROF_TAP_FIELDS | PERF_SAMPLE_CALLCHAIN |
                       PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER,
        .sample_regs_user = prof_perf_regs_mask,
        .exclude_hv = 1,
        .inherit = wanted->is_inherited,
        .disabled = 1, /* until it has a ring to write to */
        .enable_on_exec = wanted->is_at_exec,
        .mmap = 1,
        .mmap2 = 1,
        .comm = 1,
        .comm_exec = 1,
        .task = 1,
        .sample_id_all = 1,
        .use_clockid = 1,
        .clockid = CLOCK_MONOTONIC};
}

static int open_event(
    const struct prof_tap_events *events, uint32_t tid, int cpu)
{
    return (int)syscall(
        SYS_perf_event_open, &events->attr, tid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

static const struct prof_tap_event *event_at(
    const struct prof_tap_events *events, uint32_t index)
{
    return table_row(&events->opened, index);
}

static int fd_at(const struct prof_tap_events *events, uint32_t index)
{
    return event_at(events, index)->fd;
}

/* Its descriptor is the table's, or closed when there is no memory. */
static bool keep_event(
    struct prof_tap_events *events, const struct prof_tap_event *event)
{
    uint32_t row = table_add(&events->opened, event);
    if (row == TABLE_NONE)
        (void)close(event->fd);
    return row != TABLE_NONE &&
           index_add(&events->by_id, hash_u64(event->id), row);
}

static void close_event(struct prof_tap_events *events, uint32_t index)
{
    struct prof_tap_event *event = table_row(&events->opened, index);
    if (event->fd >= 0)
        (void)close(event->fd);
    event->fd = -1;
}

/* Close those from `opened` on. */
static void take_back(struct prof_tap_events *events, uint32_t opened)
{
    for (uint32_t i = opened; i < events->opened.count; i++)
        close_event(events, i);
}

/* ---- on processors ---- */

enum { EVERY_THREAD = -1 };

static bool open_on_processor(
    struct prof_tap_events *events, const struct prof_tap_ring *ring)
{
    struct prof_tap_event event = {
        .fd = open_event(events, (uint32_t)EVERY_THREAD, ring->cpu)};
    if (event.fd < 0)
        return false;
    prof_tap_filter_attach(&events->filter, event.fd);
    bool is_begun = ioctl(event.fd, PERF_EVENT_IOC_SET_OUTPUT, ring->fd) == 0 &&
                    ioctl(event.fd, PERF_EVENT_IOC_ID, &event.id) == 0;
    return keep_event(events, &event) && is_begun;
}

/* On all of them or on none, which leaves `events` as it was. */
static void try_processors(struct prof_tap_events *events)
{
    const struct perf_event_attr of_threads = events->attr;
    prof_tap_filter_open(&events->filter);
    events->attr.inherit = 0;
    events->attr.enable_on_exec = 0;
    events->attr.exclude_idle = 1;
    events->attr.exclude_callchain_user = 1;
    uint32_t done = 0;
    while (done < events->rings.count &&
           open_on_processor(events, &events->rings.rows[done]))
        done++;
    events->is_on_processors = done == events->rings.count;
    if (events->is_on_processors)
        return;
    prof_tap_filter_close(&events->filter);
    take_back(events, 0);
    table_fini(&events->opened);
    index_fini(&events->by_id);
    events->attr = of_threads;
}

void prof_tap_events_begin(struct prof_tap_events *events)
{
    uint32_t count = events->is_on_processors ? events->rings.count : 0;
    for (uint32_t i = 0; i < count; i++)
        (void)ioctl(fd_at(events, i), PERF_EVENT_IOC_ENABLE, 0);
}

void prof_tap_events_follow_frames(struct prof_tap_events *events)
{
    if (!events->is_on_processors || events->attr.exclude_callchain_user == 0)
        return;
    events->attr.exclude_callchain_user = 0;
    for (uint32_t i = 0; i < events->rings.count; i++) {
        uint32_t before = i, after = events->opened.count;
        /* So that none is taken twice. */
        (void)ioctl(fd_at(events, before), PERF_EVENT_IOC_DISABLE, 0);
        bool is_open = open_on_processor(events, &events->rings.rows[i]);
        (void)ioctl(
            fd_at(events, is_open ? after : before), PERF_EVENT_IOC_ENABLE, 0);
        if (is_open)
            close_event(events, before);
    }
}

enum status prof_tap_events_open(
    struct prof_tap_events *events, const struct prof_tap_wanted *wanted,
    struct diag *diag)
{
    struct rlimit files = {0};
    (void)getrlimit(RLIMIT_NOFILE, &files);
    uint64_t fds = wanted->is_sharing_fds ? files.rlim_cur / 2 : files.rlim_cur;
    *events = (struct prof_tap_events){
        .attr = make_attr(wanted),
        .last_fd = fds > FDS_SPARED ? fds - FDS_SPARED : 0,
        .has_kernel = true,
        .filter = PROF_TAP_NO_FILTER,
        .opened = {.row_bytes = sizeof(struct prof_tap_event)}};
    enum status status =
        prof_tap_rings_open(&events->rings, wanted->period_ns, diag);
    events->attr.sample_stack_user = events->rings.stack_bytes;
    if (status == STATUS_OK)
        try_processors(events);
    else
        prof_tap_events_close(events);
    return status;
}

void prof_tap_events_close(struct prof_tap_events *events)
{
    take_back(events, 0);
    prof_tap_rings_close(&events->rings);
    prof_tap_filter_close(&events->filter);
    table_fini(&events->opened);
    index_fini(&events->by_id);
    *events = (struct prof_tap_events){
        .rings.epoll = -1, .filter = PROF_TAP_NO_FILTER};
}

/* ---- on threads ---- */

/* From now on without the kernel, which is hidden from us. */
static void settle_for_user(struct prof_tap_events *events)
{
    events->has_kernel = false;
    events->attr.exclude_kernel = 1;
    events->attr.exclude_callchain_kernel = 1;
    prof_tap_explain_user_only(&events->refusal);
}

/* Open on one processor, and settle for less where the kernel refuses. */
static int open_best(struct prof_tap_events *events, uint32_t tid, int cpu)
{
    int fd = open_event(events, tid, cpu);
    if (fd < 0 && (errno == EACCES || errno == EPERM) && !events->is_decided) {
        settle_for_user(events);
        fd = open_event(events, tid, cpu);
    }
    events->is_decided |= fd >= 0;
    return fd;
}

enum status prof_tap_events_ask(
    uint32_t tid, struct diag *user_only, struct diag *diag)
{
    const struct prof_tap_wanted wanted = {.period_ns = ASKED_PERIOD_NS};
    struct prof_tap_events events = {
        .attr = make_attr(&wanted), .has_kernel = true};
    events.attr.sample_stack_user = PROF_TAP_STACK_LEAST;
    int fd = open_best(&events, tid, -1);
    if (fd < 0)
        return prof_tap_refusal(errno, diag);
    (void)close(fd);
    if (!events.has_kernel)
        *user_only = events.refusal;
    return STATUS_OK;
}

static bool same_id(const void *owner, uint32_t id, const void *key)
{
    return event_at(owner, id)->id == *(const uint64_t *)key;
}

uint32_t prof_tap_events_origin(
    const struct prof_tap_events *events, uint64_t id)
{
    uint32_t row =
        index_find(&events->by_id, hash_u64(id), same_id, events, &id);
    return row != TABLE_NONE ? event_at(events, row)->tid : 0;
}

static enum status add_everywhere(
    struct prof_tap_events *events, uint32_t tid, struct diag *diag)
{
    for (uint32_t i = 0; i < events->rings.count; i++) {
        const struct prof_tap_ring *ring = &events->rings.rows[i];
        struct prof_tap_event event = {
            .tid = tid, .fd = open_best(events, tid, ring->cpu)};
        if (event.fd < 0 && errno == ESRCH)
            return STATUS_OK;
        if (event.fd < 0)
            return prof_tap_refusal(errno, diag);
        if ((uint64_t)event.fd > events->last_fd) {
            (void)close(event.fd);
            return prof_tap_refusal(EMFILE, diag);
        }
        bool is_begun =
            ioctl(event.fd, PERF_EVENT_IOC_SET_OUTPUT, ring->fd) == 0 &&
            ioctl(event.fd, PERF_EVENT_IOC_ID, &event.id) == 0 &&
            (events->attr.enable_on_exec ||
             ioctl(event.fd, PERF_EVENT_IOC_ENABLE, 0) == 0);
        if (!is_begun) {
            (void)fail(diag, STATUS_SYSTEM, "give perf's event a ring");
            (void)close(event.fd);
            return STATUS_SYSTEM;
        }
        if (!keep_event(events, &event))
            return fail(diag, STATUS_NO_MEMORY, "out of memory");
    }
    return STATUS_OK;
}

enum status prof_tap_events_add(
    struct prof_tap_events *events, uint32_t tid, struct diag *diag)
{
    if (events->is_on_processors)
        return STATUS_OK;
    /* A thread is watched on all processors, or not at all. */
    uint32_t opened = events->opened.count;
    enum status status = add_everywhere(events, tid, diag);
    if (status != STATUS_OK)
        take_back(events, opened);
    return status;
}

void prof_tap_events_stop(struct prof_tap_events *events)
{
    for (uint32_t i = 0; i < events->opened.count; i++)
        (void)ioctl(fd_at(events, i), PERF_EVENT_IOC_DISABLE, 0);
}

uint64_t prof_tap_events_count_ns(const struct prof_tap_events *events)
{
    uint64_t sum = 0, count;
    if (events->is_on_processors)
        return 0;
    for (uint32_t i = 0; i < events->opened.count; i++) {
        if (read(fd_at(events, i), &count, sizeof count) == sizeof count)
            sum += count;
    }
    return sum;
}
