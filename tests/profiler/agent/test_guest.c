/*
 * The core, mapped into processes of every libc without a loader: samples come
 * to a collector, and stacks are what the program's are.
 *
 * glibc: complete, to the first frame of the thread. musl is built without
 * call frame information: below main() and a thread's start function a stack
 * ends in its code, and is counted as incomplete.
 */
#include "tests/harness.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/collector/collector.h"
#include "tools/symbolize_profile.h"

enum {
    PERIOD_NS = 1000000,
    FRAMES_MAX = 64,
    /* A thread burns 300 ms: some 75 ticks of 4 ms, or 300 periods. */
    STACKS_MIN = 5,
    SKIPPED = -1,
};

struct outcome {
    struct prof_profile *profile;
    struct prof_collector_stats stats;
    int status; /* of the program, or SKIPPED */
};

static pid_t start(const char *program, const char *session)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    CHECK_OK(setenv("WATCHFIRE_SESSION", session, 1));
    (void)execl(program, program, GUEST_IMAGE, (char *)NULL);
    _exit(127);
}

/* Collect until the program has ended. */
static int collect(struct prof_collector *collector, pid_t pid)
{
    int status;
    pid_t ended;
    do {
        struct pollfd wait = {
            .fd = prof_collector_fd(collector), .events = POLLIN};
        (void)poll(&wait, 1, 10);
        prof_collector_run(collector);
        ended = waitpid(pid, &status, WNOHANG);
    } while (ended == 0);
    CHECK_EQ(ended, pid);
    return status;
}

static struct outcome run(const char *name, enum prof_clock_mode mode)
{
    struct outcome outcome = {.status = SKIPPED};
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", PROGRAMS, name);
    if (access(path, X_OK) != 0) {
        (void)printf("skipped: %s was not built\n", name);
        return outcome;
    }
    struct prof_collector *collector;
    struct prof_collector_options options = {
        .period_ns = PERIOD_NS, .best_mode = mode};
    struct sym_symbolizer *symbolizer = sym_symbolizer_create(NULL);
    outcome.profile = prof_profile_create();
    CHECK_OK(
        prof_collector_create(&collector, outcome.profile, &options, NULL));
    outcome.status =
        collect(collector, start(path, prof_collector_session(collector)));
    prof_collector_finish(collector);
    outcome.stats = prof_collector_stats(collector);
    prof_collector_destroy(collector);
    CHECK_OK(symbolize_profile(outcome.profile, symbolizer, NULL, NULL));
    sym_symbolizer_destroy(symbolizer);
    return outcome;
}

/* The names of a stack, leaf first. */
static uint32_t names_of(
    const struct prof_profile *profile, uint32_t stack, const char **names)
{
    static char no_buffer[1]; /* every frame has lines by now */
    uint32_t count = 0;
    for (; stack != PROF_NONE && count < FRAMES_MAX;
         stack = prof_profile_stack(profile, stack)->parent) {
        uint32_t frame = prof_profile_stack(profile, stack)->frame;
        for (uint32_t i = 0;
             i < prof_profile_frame_depth(profile, frame) && count < FRAMES_MAX;
             i++)
            names[count++] = prof_profile_frame_label(
                profile, frame, i, no_buffer, sizeof no_buffer);
    }
    return count;
}

static uint32_t find(const char **names, uint32_t count, const char *wanted)
{
    uint32_t at = 0;
    while (at < count && strcmp(names[at], wanted) != 0)
        at++;
    return at;
}

static bool is_at(
    const char **names, uint32_t count, uint32_t at, const char *wanted)
{
    return at < count && strcmp(names[at], wanted) == 0;
}

/* Samples in inner(), by thread; each must have the callers it has. */
struct tally {
    uint32_t in_main, in_thread, complete;
};

static struct tally judge(const struct prof_profile *profile)
{
    struct tally tally = {0};
    for (uint32_t i = 0; i < prof_profile_sample_count(profile); i++) {
        const char *names[FRAMES_MAX];
        const struct prof_sample *sample = prof_profile_sample(profile, i);
        uint32_t count = names_of(profile, sample->stack, names);
        uint32_t at = find(names, count, "inner");
        if (at == count)
            continue;
        CHECK(is_at(names, count, at + 1, "middle"));
        CHECK(is_at(names, count, at + 2, "outer"));
        bool is_main = is_at(names, count, at + 3, "main");
        CHECK(is_main || is_at(names, count, at + 3, "run_thread"));
        tally.in_main += is_main;
        tally.in_thread += !is_main;
        tally.complete += (sample->flags & PROF_SAMPLE_TRUNCATED) == 0;
        if (is_main && (sample->flags & PROF_SAMPLE_TRUNCATED) == 0)
            CHECK_STR(names[count - 1], "_start");
    }
    return tally;
}

static void check_program(const char *name, bool is_complete)
{
    static const enum prof_clock_mode modes[] = {
        PROF_CLOCK_PERF, PROF_CLOCK_TIMER};
    for (unsigned i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        struct outcome outcome = run(name, modes[i]);
        if (outcome.status == SKIPPED)
            return;
        CHECK_EQ(outcome.status, 0);
        CHECK_EQ(outcome.stats.processes, 1);
        CHECK_EQ(outcome.stats.failure.status, STATUS_OK);
        struct tally tally = judge(outcome.profile);
        CHECK(tally.in_main >= STACKS_MIN);
        CHECK(tally.in_thread >= STACKS_MIN);
        if (is_complete)
            CHECK_EQ(tally.complete, tally.in_main + tally.in_thread);
        else
            CHECK(
                prof_profile_loss(outcome.profile, PROF_LOSS_INCOMPLETE) >=
                tally.in_main + tally.in_thread - tally.complete);
        prof_profile_destroy(outcome.profile);
    }
}

TEST(guest_samples_a_dynamic_glibc_program)
{
    check_program("mapped_glibc_dynamic", true);
}

TEST(guest_samples_a_static_glibc_program)
{
    check_program("mapped_glibc_static", true);
}

TEST(guest_samples_a_dynamic_musl_program)
{
    check_program("mapped_musl_dynamic", false);
}

TEST(guest_samples_a_static_musl_program)
{
    check_program("mapped_musl_static", false);
}
