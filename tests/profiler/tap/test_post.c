/* A thread posted on a processor catches who is at work there. */
#include "tests/harness.h"

#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/tap/post.h"
#include "tests/profiler/attach/told.h"

enum { PERIOD_NS = 4000000, SOON_NS = 500000 };

/* Among ten that want to run, the child is at work once in so many times. */
enum { OFTEN = 40 };

/* A child on the roster, and a post on the processor that it computes on. */
struct scene {
    struct prof_tap_common common;
    struct prof_roster roster;
    struct prof_post *post;
    pid_t child;
    int epoll, told;
};

static int processor; /* of the child */

__attribute__((noinline)) static void compute(void)
{
    for (;;)
        told->rounds++;
}

static void compute_there(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    (void)sched_setaffinity(0, sizeof set, &set);
    compute();
}

static void begin(struct scene *scene)
{
    struct diag diag;
    processor = sched_getcpu();
    scene->child = start_child(compute_there);
    wait_for_first_round();
    scene->epoll = epoll_create1(EPOLL_CLOEXEC);
    scene->told = eventfd(0, EFD_CLOEXEC);
    prof_tap_common_init(
        &scene->common, prof_profile_create(), PERIOD_NS, false);
    prof_roster_init(&scene->roster, &scene->common, scene->epoll);
    CHECK_EQ(
        prof_roster_name(&scene->roster, (uint32_t)scene->child, 0, &diag),
        STATUS_OK);
    scene->post =
        prof_post_create(&scene->roster, (uint32_t)processor, scene->told);
    CHECK(scene->post != NULL);
}

static void end(struct scene *scene)
{
    prof_post_destroy(scene->post);
    prof_roster_fini(&scene->roster);
    prof_profile_destroy(scene->common.profile);
    prof_tap_common_fini(&scene->common);
    (void)close(scene->epoll);
    (void)close(scene->told);
    end_child(scene->child);
}

static const struct prof_catch *catch_soon(struct scene *scene)
{
    uint64_t cost_ns, told_count;
    CHECK(prof_post_is_free(scene->post));
    CHECK(
        prof_post_order(scene->post, clock_now_ns(CLOCK_MONOTONIC) + SOON_NS));
    CHECK(!prof_post_is_free(scene->post));
    CHECK_EQ(
        read(scene->told, &told_count, sizeof told_count), sizeof told_count);
    const struct prof_catch *caught = prof_post_take(scene->post, &cost_ns);
    CHECK(caught != NULL);
    CHECK(cost_ns > 0);
    CHECK(prof_post_take(scene->post, &cost_ns) == NULL);
    return caught;
}

TEST(post_catches_who_computes_and_only_once_until_it_is_looked_at)
{
    struct scene scene;
    const struct prof_catch *caught;
    begin(&scene);
    struct prof_roster_thread *thread =
        prof_roster_thread(&scene.roster, (uint32_t)scene.child);
    do { /* another may be at work there, or may hold it up */
        thread->is_held = false;
        caught = catch_soon(&scene);
    } while (caught->end != PROF_HOLD_DONE);
    CHECK_EQ(caught->tid, scene.child);
    CHECK_EQ(caught->pid, scene.child);
    CHECK(caught->cpu_ns > 0 && caught->held_ns > 0);
    /* It was forked from us: its code is where ours is. */
    uint64_t into =
        caught->regs.value[PROF_REG_PC] - (uint64_t)(uintptr_t)compute;
    CHECK(into < 256);
    CHECK(thread->is_held);
    for (int i = 0; i < OFTEN; i++)
        CHECK_EQ(catch_soon(&scene)->tid, 0);
    end(&scene);
}

TEST(post_catches_nobody_while_another_looks_at_the_roster)
{
    struct scene scene;
    begin(&scene);
    (void)pthread_mutex_lock(&scene.roster.gate);
    for (int i = 0; i < OFTEN; i++) {
        const struct prof_catch *caught = catch_soon(&scene);
        CHECK_EQ(caught->tid, 0);
        CHECK_EQ(caught->end, PROF_HOLD_NOBODY);
    }
    (void)pthread_mutex_unlock(&scene.roster.gate);
    end(&scene);
}
