/* What the kernel says that threads and processes have used. */
#include "tests/harness.h"

#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "profiler/collector/cpu_time.h"

/*
 * A child that has not run, as a rule: it may only where we do, and we go
 * before it. -1: the system does not let us.
 */
static pid_t start_behind_us(cpu_set_t *processors)
{
    const struct sched_param first = {.sched_priority = 1};
    cpu_set_t here;
    CHECK_OK(sched_getaffinity(0, sizeof *processors, processors));
    if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &first) != 0)
        return -1;
    CPU_ZERO(&here);
    CPU_SET((size_t)sched_getcpu(), &here);
    CHECK_OK(sched_setaffinity(0, sizeof here, &here));
    pid_t child = fork();
    if (child == 0) {
        for (;;)
            (void)pause();
    }
    return child;
}

static uint64_t clock_of(pid_t pid)
{
    clockid_t clock;
    struct timespec used;
    CHECK_OK(clock_getcpuclockid(pid, &clock));
    CHECK_OK(clock_gettime(clock, &used));
    return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

struct reading {
    bool is_tried;
    uint64_t used_ns, clock_ns; /* ours first */
};

static struct reading read_clocks(void)
{
    const struct sched_param none = {.sched_priority = 0};
    cpu_set_t processors;
    struct reading reading = {0};
    pid_t child = start_behind_us(&processors);
    if (child > 0)
        reading = (struct reading){
            .is_tried = true,
            .used_ns = prof_process_cpu_ns((uint32_t)child),
            .clock_ns = clock_of(child)};
    (void)sched_setscheduler(0, SCHED_OTHER, &none);
    CHECK_OK(sched_setaffinity(0, sizeof processors, &processors));
    if (child > 0) {
        CHECK_OK(kill(child, SIGKILL));
        CHECK_EQ(waitpid(child, NULL, 0), child);
        CHECK_EQ(prof_process_cpu_ns((uint32_t)child), 0);
    }
    return reading;
}

/* The kernel gives others a share before those who go first, now and then. */
TEST(cpu_time_of_a_process_is_never_that_of_none)
{
    struct reading reading;
    int count = 0;
    do
        reading = read_clocks();
    while (reading.is_tried && reading.clock_ns > 0 && ++count < 1000);
    if (!reading.is_tried)
        skip();
    CHECK_EQ(reading.clock_ns, 0);
    CHECK_EQ(reading.used_ns, 1);
}
