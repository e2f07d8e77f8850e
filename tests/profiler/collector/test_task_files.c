/* What /proc tells of a thread. */
#include "tests/harness.h"

#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "profiler/collector/task_files.h"

static struct prof_task_limit limit = {.most = PROF_TASK_FILES};

static struct prof_task_files own_files(void)
{
    struct prof_task_files files;
    prof_task_files_init(
        &files, (uint32_t)getpid(), (uint32_t)gettid(), &limit);
    return files;
}

/* With each sleep it is taken off and put on again. */
TEST(task_files_tell_when_a_thread_came)
{
    struct prof_task_files files = own_files();
    uint64_t first_ns = prof_task_read_turn(&files);
    CHECK(first_ns > 0);
    (void)usleep(10000);
    uint64_t slept_ns = prof_task_read_turn(&files) - first_ns;
    CHECK(slept_ns >= 9000000);
    prof_task_files_fini(&files);
}

/* It stands in the same file, before what is looked for. */
TEST(task_files_believe_no_name)
{
    struct prof_task_files files = own_files();
    char before[16];
    uint64_t first_ns = prof_task_read_turn(&files);
    (void)prctl(PR_GET_NAME, before);
    for (int i = 0; i < 2; i++) {
        (void)prctl(PR_SET_NAME, i == 0 ? "\nse.exec_start" : "---\nse.exec:7");
        uint64_t now_ns = prof_task_read_turn(&files);
        CHECK(now_ns >= first_ns && now_ns - first_ns < 3600000000000);
    }
    (void)prctl(PR_SET_NAME, before);
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
