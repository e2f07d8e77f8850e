/* Which child gets a guest next. */
#include "tests/harness.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "profiler/collector/offspring.h"
#include "profiler/model/profile.h"

#define SECOND_NS UINT64_C(1000000000)

/* One that uses so much CPU time whenever it is told to. */
struct worker {
    pid_t pid;
    int orders[2], replies[2];
};

static void burn_ms(long ms)
{
    struct timespec begin, now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
    do
        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    while ((now.tv_sec - begin.tv_sec) * 1000 +
               (now.tv_nsec - begin.tv_nsec) / 1000000 <
           ms);
}

static struct worker start(long ms)
{
    struct worker worker;
    char byte;
    CHECK_OK(pipe(worker.orders));
    CHECK_OK(pipe(worker.replies));
    worker.pid = fork();
    if (worker.pid != 0)
        return worker;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (read(worker.orders[0], &byte, 1) == 1) {
        burn_ms(ms);
        (void)!write(worker.replies[1], &byte, 1);
    }
    _exit(0);
}

static void work(const struct worker *worker)
{
    char byte = 0;
    CHECK_EQ(write(worker->orders[1], &byte, 1), 1);
    CHECK_EQ(read(worker->replies[0], &byte, 1), 1);
}

static void end(const struct worker *worker)
{
    CHECK_OK(kill(worker->pid, SIGKILL));
    CHECK_EQ(waitpid(worker->pid, NULL, 0), worker->pid);
    for (int i = 0; i < 2; i++) {
        (void)close(worker->orders[i]);
        (void)close(worker->replies[i]);
    }
}

/* Seen first, and met first, is the one that does little. */
TEST(offspring_that_has_used_most_is_due_first)
{
    struct prof_profile *profile = prof_profile_create();
    struct prof_strays strays;
    struct prof_offspring offspring;
    uint32_t self = (uint32_t)getpid();
    uint64_t now_ns = SECOND_NS;
    prof_strays_init(&strays, profile, 0, 0);
    prof_offspring_init(&offspring, false);
    struct worker little = start(1), much = start(40);
    prof_offspring_look(&offspring, self, now_ns, &strays);
    CHECK_EQ(prof_offspring_due(&offspring, now_ns), 0); /* nobody worked */

    for (int round = 0; round < 2; round++) {
        work(&little);
        work(&much);
        now_ns += 60 * SECOND_NS; /* each is due again */
        prof_offspring_look(&offspring, self, now_ns, &strays);
        CHECK_EQ(prof_offspring_due(&offspring, now_ns), much.pid);
        prof_offspring_note(&offspring, (uint32_t)much.pid, false, now_ns);
        CHECK_EQ(prof_offspring_due(&offspring, now_ns), little.pid);
        prof_offspring_note(&offspring, (uint32_t)little.pid, false, now_ns);
        CHECK_EQ(prof_offspring_due(&offspring, now_ns), 0);
    }
    end(&little);
    end(&much);
    prof_offspring_fini(&offspring);
    prof_strays_fini(&strays);
    prof_profile_destroy(profile);
}
