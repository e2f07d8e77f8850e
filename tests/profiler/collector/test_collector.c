/*
 * The collector with an agent in the same process: HELLO, samples from several
 * threads, a hostile record, BYE. Under ThreadSanitizer it also proves that
 * the two sides meet in the ring alone.
 */
#include "tests/harness.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "profiler/agent/link.h"
#include "profiler/collector/collector.h"
#include "profiler/unwind/sig_walk.h"
#include "tests/profiler/ring_fixture.h"

enum {
    PERIOD_NS = 1000000,
    THREADS = 3,
    SAMPLES_EACH = 500,
    PATIENCE_MS = 60000
};

struct agent {
    const char *session;
    struct wire_ring ring;
    int fd;
    struct wire_reply hello, bye;
};

/* Where the samples are; kept apart so that it has an address of its own. */
__attribute__((noinline)) static uint64_t place_of_work(void)
{
    return (uint64_t)(uintptr_t)&place_of_work;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void write_sample(struct agent *agent, uint32_t tid, uint32_t flags)
{
    struct prof_claim claim = prof_ring_claim(
        &agent->ring, sizeof(struct wire_sample) + 2 * sizeof(uint64_t), tid);
    if (claim.bytes == NULL)
        return;
    struct wire_sample *sample = claim.bytes;
    *sample = (struct wire_sample){
        .record =
            {.type = WIRE_SAMPLE,
             .flags = (uint16_t)(WIRE_SAMPLE_TICK | flags),
             .tid = tid,
             .time_ns = now_ns()},
        .expiries = 2,
        .frame_count = 2};
    sample->frames[0] = (place_of_work() + 1) | PROF_FRAME_EXACT;
    sample->frames[1] = place_of_work() + 1; /* a return address */
    prof_ring_commit(&agent->ring, &claim);
}

static void *sample_thread(void *context)
{
    uint32_t tid = (uint32_t)syscall(SYS_gettid);
    for (int i = 0; i < SAMPLES_EACH; i++)
        write_sample(context, tid, i == 0 ? WIRE_SAMPLE_CUT : 0);
    return NULL;
}

/*
 * A sample that claims more frames than were written, and a record of no type.
 * The claims are a living thread's: what one that is not there had claimed,
 * the collector may give up before it is committed.
 */
static void write_hostile_record(struct agent *agent)
{
    uint32_t tid = (uint32_t)syscall(SYS_gettid);
    struct prof_claim claim =
        prof_ring_claim(&agent->ring, sizeof(struct wire_sample), tid);
    struct wire_sample *sample = claim.bytes;
    *sample = (struct wire_sample){
        .record = {.type = WIRE_SAMPLE, .tid = 1}, .frame_count = 0xffffff};
    prof_ring_commit(&agent->ring, &claim);
    claim = prof_ring_claim(&agent->ring, sizeof(struct wire_record), tid);
    *(struct wire_record *)claim.bytes = (struct wire_record){.type = 77};
    prof_ring_commit(&agent->ring, &claim);
}

static void *say_hello(void *context)
{
    struct agent *agent = context;
    CHECK(prof_link_ask(
        agent->session, WIRE_HELLO, agent->fd, NULL, PATIENCE_MS,
        &agent->hello));
    return NULL;
}

static void *run_agent(void *context)
{
    struct agent *agent = context;
    pthread_t threads[THREADS];
    (void)say_hello(agent);
    for (int i = 0; i < THREADS; i++)
        CHECK_OK(pthread_create(&threads[i], NULL, sample_thread, agent));
    write_hostile_record(agent);
    for (int i = 0; i < THREADS; i++)
        CHECK_OK(pthread_join(threads[i], NULL));
    CHECK(prof_link_ask(
        agent->session, WIRE_BYE, -1, NULL, PATIENCE_MS, &agent->bye));
    return NULL;
}

static void serve(struct prof_collector *collector)
{
    struct pollfd wait = {.fd = prof_collector_fd(collector), .events = POLLIN};
    (void)poll(&wait, 1, 2);
    prof_collector_run(collector);
}

/* The agent's own mapping of the segment, as it has one in life. */
static struct agent make_agent(struct prof_ring_reader *mapping)
{
    struct agent agent = {.fd = make_segment_fd(F_SEAL_SHRINK | F_SEAL_GROW)};
    CHECK_OK(prof_ring_reader_open(mapping, agent.fd, NULL));
    agent.ring = mapping->ring;
    return agent;
}

static uint64_t sum_of(
    const struct prof_profile *profile, enum prof_frame_kind kind)
{
    uint64_t sum_ns = 0;
    for (uint32_t i = 0; i < prof_profile_sample_count(profile); i++) {
        const struct prof_sample *sample = prof_profile_sample(profile, i);
        uint32_t frame = prof_profile_stack(profile, sample->stack)->frame;
        if (prof_profile_frame(profile, frame)->kind == kind)
            sum_ns += sample->values[0];
    }
    return sum_ns;
}

/* A collector, an agent that speaks to it, and the profile they make. */
struct scene {
    struct prof_profile *profile;
    struct prof_collector *collector;
    struct prof_ring_reader mapping;
    struct agent agent;
    pthread_t thread;
};

static struct scene *begin_scene(const char *refusal)
{
    struct scene *scene = calloc(1, sizeof *scene);
    struct prof_collector_options options = {
        .period_ns = PERIOD_NS,
        .best_mode = PROF_CLOCK_TIMER,
        .is_waited_for = true,
        .refusal = refusal};
    scene->profile = prof_profile_create();
    CHECK_OK(prof_collector_create(
        &scene->collector, scene->profile, &options, NULL));
    scene->agent = make_agent(&scene->mapping);
    scene->agent.session = prof_collector_session(scene->collector);
    CHECK_OK(pthread_create(
        &scene->thread, NULL, refusal ? say_hello : run_agent, &scene->agent));
    return scene;
}

static void end_scene(struct scene *scene)
{
    prof_collector_destroy(scene->collector);
    prof_profile_destroy(scene->profile);
    prof_ring_reader_close(&scene->mapping);
    close(scene->agent.fd);
    free(scene);
}

/* Serve until the agent has come and gone. */
static void serve_to_the_end(struct scene *scene)
{
    while (prof_collector_stats(scene->collector).processes == 0 ||
           prof_collector_stats(scene->collector).live > 0)
        serve(scene->collector);
    prof_collector_release(scene->collector, "the disk is full");
    CHECK_OK(pthread_join(scene->thread, NULL));
}

TEST(collector_turns_an_agents_records_into_a_profile)
{
    struct scene *scene = begin_scene(NULL);
    serve_to_the_end(scene);
    CHECK_EQ(scene->agent.hello.status, 0);
    CHECK_EQ(scene->agent.hello.period_ns, PERIOD_NS);
    CHECK(scene->agent.hello.actions & WIRE_ARM_TIMERS);
    CHECK(scene->agent.hello.actions & WIRE_WAIT_AT_EXIT);
    CHECK_STR(scene->agent.bye.text, "the disk is full");

    CHECK_EQ(prof_profile_status(scene->profile), STATUS_OK);
    CHECK_EQ(prof_profile_process_count(scene->profile), 1);
    /* A new thread's first tick stands for more: up to a whole tick. */
    uint64_t counted_ns = UINT64_C(2) * THREADS * SAMPLES_EACH * PERIOD_NS;
    uint64_t sum_ns = sum_of(scene->profile, PROF_FRAME_NATIVE);
    CHECK(sum_ns >= counted_ns);
    CHECK(sum_ns <= counted_ns + THREADS * UINT64_C(10000000));
    end_scene(scene);
}

TEST(collector_counts_losses_and_records_that_break_the_protocol)
{
    struct scene *scene = begin_scene(NULL);
    serve_to_the_end(scene);
    CHECK_EQ(prof_profile_loss(scene->profile, PROF_LOSS_MALFORMED), 2);
    CHECK_EQ(prof_profile_loss(scene->profile, PROF_LOSS_CUT), THREADS);
    CHECK_EQ(prof_profile_loss(scene->profile, PROF_LOSS_RING_FULL), 0);
    end_scene(scene);
}

TEST(collector_makes_a_pc_of_every_return_address)
{
    struct scene *scene = begin_scene(NULL);
    serve_to_the_end(scene);
    /* The exact leaf is one byte above its caller's pc. */
    const struct prof_stack *leaf = prof_profile_stack(
        scene->profile, prof_profile_sample(scene->profile, 0)->stack);
    const struct prof_stack *root =
        prof_profile_stack(scene->profile, leaf->parent);
    CHECK_EQ(leaf->depth, 2);
    CHECK_EQ(
        prof_profile_frame(scene->profile, leaf->frame)->offset,
        prof_profile_frame(scene->profile, root->frame)->offset + 1);
    end_scene(scene);
}

TEST(collector_refuses_who_it_was_told_to)
{
    struct scene *scene = begin_scene("the rate is wrong");
    while (prof_collector_stats(scene->collector).refused == 0)
        serve(scene->collector);
    CHECK_OK(pthread_join(scene->thread, NULL));
    CHECK_EQ(scene->agent.hello.status, 1);
    CHECK_STR(scene->agent.hello.text, "the rate is wrong");
    CHECK_EQ(prof_profile_process_count(scene->profile), 0);
    end_scene(scene);
}
