/* What /proc tells of a thread. */
#include "tests/harness.h"

#include <sched.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/collector/task_files.h"

static struct prof_task_limit limit = {.most = PROF_TASK_FILES};

static struct prof_task_files own_files(void)
{
    struct prof_task_files files;
    prof_task_files_init(
        &files, (uint32_t)getpid(), (uint32_t)gettid(), &limit);
    return files;
}

/* On the processor where we are: each has a clock of its own. */
static void stay_here(cpu_set_t *before)
{
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET((size_t)sched_getcpu(), &here);
    CHECK_OK(sched_getaffinity(0, sizeof *before, before));
    CHECK_OK(sched_setaffinity(0, sizeof here, &here));
}

/*
 * With each sleep it is taken off and put on again. That clock stands still
 * while a hypervisor has the processor, so that of the sleep there may be much
 * less, but some.
 */
TEST(task_files_tell_when_a_thread_came)
{
    cpu_set_t before;
    struct prof_task_files files = own_files();
    stay_here(&before);
    uint64_t begin_ns = clock_now_ns(CLOCK_MONOTONIC);
    (void)usleep(1); /* and comes after that */
    uint64_t first_ns = prof_task_read_turn(&files);
    uint64_t used_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID);
    CHECK(first_ns > 0);
    (void)usleep(50000);
    uint64_t turn_ns = prof_task_read_turn(&files) - first_ns;
    used_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID) - used_ns;
    uint64_t passed_ns = clock_now_ns(CLOCK_MONOTONIC) - begin_ns;
    CHECK(turn_ns > used_ns);
    CHECK(turn_ns <= passed_ns + passed_ns / 100); /* two clocks */
    CHECK_OK(sched_setaffinity(0, sizeof before, &before));
    prof_task_files_fini(&files);
}

/* It stands in the same file, before what is looked for. */
TEST(task_files_believe_no_name)
{
    cpu_set_t processors;
    struct prof_task_files files = own_files();
    char before[16];
    stay_here(&processors);
    uint64_t first_ns = prof_task_read_turn(&files);
    (void)prctl(PR_GET_NAME, before);
    for (int i = 0; i < 2; i++) {
        (void)prctl(PR_SET_NAME, i == 0 ? "\nse.exec_start" : "---\nse.exec:7");
        uint64_t now_ns = prof_task_read_turn(&files);
        CHECK(now_ns >= first_ns && now_ns - first_ns < 3600000000000);
    }
    (void)prctl(PR_SET_NAME, before);
    CHECK_OK(sched_setaffinity(0, sizeof processors, &processors));
    prof_task_files_fini(&files);
}

TEST(task_files_tell_the_processor)
{
    struct prof_task_files files = own_files();
    cpu_set_t before, one;
    CHECK_EQ(sched_getaffinity(0, sizeof before, &before), 0);
    for (unsigned processor = 0; processor < CPU_SETSIZE; processor++) {
        if (!CPU_ISSET(processor, &before))
            continue;
        CPU_ZERO(&one);
        CPU_SET(processor, &one);
        CHECK_EQ(sched_setaffinity(0, sizeof one, &one), 0);
        CHECK_EQ(prof_task_read_processor(&files), processor);
    }
    (void)sched_setaffinity(0, sizeof before, &before);
    prof_task_files_fini(&files);
}
