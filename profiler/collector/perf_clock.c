/* The sampling clock of choice: perf's cpu-clock event with sigtrap. */
#include "profiler/collector/perf_clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <linux/perf_event.h>

#include "profiler/base/cycles_x86_64.h"
#include "profiler/base/proc.h"
#include "profiler/wire/cookie.h"

/*
 * Before 5.18 a sigtrap event killed a thread that blocked SIGTRAP; since
 * then the signal waits ("signal: Deliver SIGTRAP on perf event asynchronously
 * if blocked").
 */
enum { NEEDED_MAJOR = 5, NEEDED_MINOR = 18 };

enum {
    /* Faster than was asked for: hundredths of a percent. */
    JITTER_LEAST = 30,
    JITTER_MOST = 80,
};

static void init_events(struct table *events)
{
    *events = (struct table){.row_bytes = sizeof(struct prof_perf_event)};
}

void prof_perf_clock_init(struct prof_perf_clock *clock)
{
    *clock = (struct prof_perf_clock){.mode = PROF_CLOCK_TIMER};
    init_events(&clock->events);
}

static int fd_at(const struct table *events, uint32_t index)
{
    return ((struct prof_perf_event *)table_row(events, index))->fd;
}

static uint64_t count_ns(const struct table *events)
{
    uint64_t sum = 0, count;
    for (uint32_t i = 0; i < events->count; i++) {
        if (read(fd_at(events, i), &count, sizeof count) == sizeof count)
            sum += count;
    }
    return sum;
}

static void close_events(struct table *events)
{
    for (uint32_t i = 0; i < events->count; i++)
        (void)close(fd_at(events, i));
    table_fini(events);
    init_events(events);
}

void prof_perf_clock_fini(struct prof_perf_clock *clock)
{
    close_events(&clock->events);
}

uint64_t prof_perf_clock_draw_ns(uint64_t period_ns)
{
    uint64_t random = cycles_random();
    uint64_t off = JITTER_LEAST + random % (JITTER_MOST - JITTER_LEAST);
    return (uint64_t)((double)period_ns / (1 + 1e-4 * (double)off));
}

static bool is_kernel_new_enough(void)
{
    struct utsname name;
    int major = 0, minor = 0;
    if (uname(&name) < 0 || sscanf(name.release, "%d.%d", &major, &minor) != 2)
        return false;
    return major > NEEDED_MAJOR ||
           (major == NEEDED_MAJOR && minor >= NEEDED_MINOR);
}

static int open_event(
    int tid, uint64_t period_ns, uint32_t generation, enum prof_clock_mode mode,
    bool is_disabled)
{
    struct perf_event_attr attr = {
        .size = sizeof attr,
        .type = PERF_TYPE_SOFTWARE,
        .config = PERF_COUNT_SW_CPU_CLOCK,
        .sample_period = period_ns,
        .disabled = is_disabled,
        .exclude_kernel = mode == PROF_CLOCK_PERF_USER,
        .exclude_hv = 1,
        .inherit = 1,
        .inherit_thread = 1,
        .sigtrap = 1,
        .remove_on_exec = 1,
        .sig_data = WIRE_COOKIE | generation};
    return (int)syscall(
        SYS_perf_event_open, &attr, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

int prof_perf_paranoid_level(void)
{
    int level = -2;
    FILE *file = fopen("/proc/sys/kernel/perf_event_paranoid", "re");
    if (file != NULL) {
        if (fscanf(file, "%d", &level) != 1)
            level = -2;
        (void)fclose(file);
    }
    return level;
}

static void explain_refusal(int error, struct diag *diag)
{
    int level = prof_perf_paranoid_level();
    if (error == ENOSYS || error == EINVAL || error == 0) {
        (void)fail(
            diag, STATUS_UNSUPPORTED,
            "this kernel has no perf events with sigtrap (Linux %d.%d)",
            NEEDED_MAJOR, NEEDED_MINOR);
    } else if ((error == EACCES || error == EPERM) && level > 2) {
        (void)fail(
            diag, STATUS_NOT_PERMITTED,
            "perf events are refused by kernel.perf_event_paranoid = %d; "
            "sysctl kernel.perf_event_paranoid=2 would permit them",
            level);
    } else if (error == EACCES || error == EPERM) {
        (void)fail(
            diag, STATUS_NOT_PERMITTED,
            "perf events are refused though kernel.perf_event_paranoid = %d: "
            "by seccomp (docker run --cap-add PERFMON would permit them) or "
            "by kernel.yama.ptrace_scope",
            level);
    } else {
        (void)fail(
            diag, STATUS_SYSTEM, "perf events are refused: %s",
            strerror(error));
    }
}

static void explain_user_only(struct diag *diag)
{
    (void)fail(
        diag, STATUS_NOT_PERMITTED,
        "kernel time comes from the tick timer, as "
        "kernel.perf_event_paranoid = %d hides the kernel; "
        "sysctl kernel.perf_event_paranoid=1 would show it exactly",
        prof_perf_paranoid_level());
}

/* Open on `tid`, and settle for less where the kernel refuses. */
static int open_best(
    int tid, uint64_t period_ns, enum prof_clock_mode *mode, struct diag *diag)
{
    if (*mode == PROF_CLOCK_TIMER)
        return -1;
    if (!is_kernel_new_enough()) {
        explain_refusal(0, diag);
        *mode = PROF_CLOCK_TIMER;
        return -1;
    }
    int fd = open_event(tid, period_ns, 0, *mode, false);
    if (fd < 0 && *mode == PROF_CLOCK_PERF &&
        (errno == EACCES || errno == EPERM)) {
        *mode = PROF_CLOCK_PERF_USER;
        fd = open_event(tid, period_ns, 0, *mode, false);
        if (fd >= 0)
            explain_user_only(diag);
    }
    /* ESRCH: the thread is gone, which says nothing about permission. */
    if (fd < 0 && errno != ESRCH) {
        explain_refusal(errno, diag);
        *mode = PROF_CLOCK_TIMER;
    }
    return fd;
}

/* The threads of `pid`; false when it is gone. */
static bool list_threads(uint32_t pid, struct table *tids)
{
    struct proc_tasks tasks;
    uint32_t found;
    if (!proc_tasks_open(&tasks, pid))
        return false;
    while (proc_tasks_next(&tasks, &found)) {
        int tid = (int)found;
        (void)table_add(tids, &tid);
    }
    proc_tasks_close(&tasks);
    return true;
}

static void keep_event(struct table *events, int tid, int fd)
{
    struct prof_perf_event event = {.tid = tid, .fd = fd};
    if (fd >= 0 && table_add(events, &event) == TABLE_NONE)
        (void)close(fd);
}

/* A thread that was not there when the others were listed. */
static bool is_anyone_new(uint32_t pid, const struct table *known)
{
    struct table tids = {.row_bytes = sizeof(int)};
    (void)list_threads(pid, &tids);
    bool is_new = false;
    for (uint32_t i = 0; i < tids.count && !is_new; i++) {
        int tid = *(int *)table_row(&tids, i);
        uint32_t at = 0;
        while (at < known->count && *(int *)table_row(known, at) != tid)
            at++;
        is_new = at == known->count;
    }
    table_fini(&tids);
    return is_new;
}

static void begin_generation(
    struct prof_perf_clock *clock, uint32_t generation, uint64_t period_ns,
    const struct table *tids)
{
    clock->generation = generation;
    clock->periods_ns[generation] = period_ns;
    clock->is_in_doubt = is_anyone_new(clock->pid, tids);
}

void prof_perf_clock_arm(
    struct prof_perf_clock *clock, uint32_t pid, uint64_t period_ns,
    enum prof_clock_mode *mode, struct diag *diag)
{
    struct table tids = {.row_bytes = sizeof(int)};
    if (!list_threads(pid, &tids))
        (void)table_add(&tids, &(int){(int)pid});

    for (uint32_t i = 0; i < tids.count; i++) {
        int tid = *(int *)table_row(&tids, i);
        int fd = open_best(tid, period_ns, mode, diag);
        if (*mode == PROF_CLOCK_TIMER)
            break;
        keep_event(&clock->events, tid, fd);
    }
    if (*mode == PROF_CLOCK_TIMER)
        close_events(&clock->events);
    clock->pid = pid;
    clock->mode = *mode;
    begin_generation(clock, 0, period_ns, &tids);
    table_fini(&tids);
}

/* With what threads have inherited from them. */
static void control_all(const struct table *events, unsigned long request)
{
    for (uint32_t i = 0; i < events->count; i++)
        (void)ioctl(fd_at(events, i), request, 0);
}

/* Open on all of `tids`; false when one is refused that is still there. */
static bool open_all(
    const struct prof_perf_clock *clock, const struct table *tids,
    uint64_t period_ns, uint32_t generation, struct table *events)
{
    for (uint32_t i = 0; i < tids->count; i++) {
        int tid = *(int *)table_row(tids, i);
        int fd = open_event(tid, period_ns, generation, clock->mode, true);
        if (fd < 0 && errno != ESRCH)
            return false;
        keep_event(events, tid, fd);
    }
    return events->count > 0;
}

bool prof_perf_clock_rearm(struct prof_perf_clock *clock, uint64_t period_ns)
{
    struct table tids = {.row_bytes = sizeof(int)}, events;
    uint32_t generation = (clock->generation + 1) % PROF_GENERATIONS;
    if (clock->mode == PROF_CLOCK_TIMER || clock->is_paused ||
        !list_threads(clock->pid, &tids))
        return false;
    init_events(&events);
    bool is_armed = open_all(clock, &tids, period_ns, generation, &events);
    if (is_armed) {
        control_all(&clock->events, PERF_EVENT_IOC_DISABLE);
        control_all(&events, PERF_EVENT_IOC_ENABLE);
        clock->closed_ns += count_ns(&clock->events);
        close_events(&clock->events);
        clock->events = events;
        begin_generation(clock, generation, period_ns, &tids);
    } else {
        close_events(&events);
    }
    table_fini(&tids);
    return is_armed;
}

void prof_perf_clock_leave(struct prof_perf_clock *clock)
{
    control_all(&clock->events, PERF_EVENT_IOC_DISABLE);
    clock->closed_ns += count_ns(&clock->events);
    close_events(&clock->events);
    clock->mode = PROF_CLOCK_TIMER;
    clock->is_in_doubt = false;
}

uint64_t prof_perf_clock_period_ns(
    const struct prof_perf_clock *clock, uint32_t generation)
{
    uint64_t period_ns = clock->periods_ns[generation % PROF_GENERATIONS];
    return period_ns ? period_ns : clock->periods_ns[clock->generation];
}

bool prof_perf_clock_is_single(const struct prof_perf_clock *clock)
{
    return clock->events.count == 1;
}

void prof_perf_clock_pause(struct prof_perf_clock *clock)
{
    clock->is_paused = true;
    control_all(&clock->events, PERF_EVENT_IOC_DISABLE);
}

void prof_perf_clock_resume(struct prof_perf_clock *clock)
{
    clock->is_paused = false;
    control_all(&clock->events, PERF_EVENT_IOC_ENABLE);
}

uint64_t prof_perf_clock_read_ns(const struct prof_perf_clock *clock)
{
    return clock->closed_ns + count_ns(&clock->events);
}

enum prof_clock_mode prof_perf_clock_probe(struct diag *diag)
{
    enum prof_clock_mode mode = PROF_CLOCK_PERF;
    /* So long a period never expires: only the permission is asked for. */
    int fd = open_best(0, UINT64_C(1) << 60, &mode, diag);
    if (fd >= 0)
        (void)close(fd);
    return mode;
}

int prof_perf_clock_open_probe(
    int tid, uint64_t period_ns, enum prof_clock_mode mode)
{
    return mode == PROF_CLOCK_TIMER
               ? -1
               : open_event(tid, period_ns, 0, mode, false);
}

const char *prof_clock_mode_text(enum prof_clock_mode mode)
{
    static const char *const texts[] = {
        [PROF_CLOCK_PERF] = "perf events",
        [PROF_CLOCK_PERF_USER] = "perf events in user mode, tick timer for "
                                 "kernel time",
        [PROF_CLOCK_TIMER] = "CPU-clock timers",
    };
    return texts[mode];
}
