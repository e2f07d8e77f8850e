/* A thread posted on a processor; see the header. */
#include "profiler/tap/post.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "profiler/attach/urgency.h"
#include "profiler/base/clock.h"

struct prof_post {
    struct prof_catch catch; /* the thread's while there is an order */
    uint64_t cost_ns;
    int told;
    pthread_t thread;
    sem_t ordered, done;
    bool has_thread, has_order;
    bool is_over; /* said with an order: there will be no other */
};

/* Fails where that processor is not ours to use. */
static void move_to(uint32_t processor)
{
    cpu_set_t *set = CPU_ALLOC(processor + 1);
    size_t bytes = CPU_ALLOC_SIZE(processor + 1);
    if (set == NULL)
        return;
    CPU_ZERO_S(bytes, set);
    CPU_SET_S(processor, bytes, set);
    (void)sched_setaffinity(0, bytes, set);
    CPU_FREE(set);
}

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0)
        ; /* it was a signal */
}

/* What could not be let go is let go by the kernel, with this thread's end. */
static void *stand(void *owner)
{
    struct prof_post *post = owner;
    const uint64_t one = 1;
    bool is_at_end = false;
    prof_urgency_keep();
    move_to(post->catch.processor);
    prof_catch_begin(&post->catch);
    while (!is_at_end) {
        wait_for(&post->ordered);
        if (post->is_over)
            break;
        uint64_t begin_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID);
        prof_catch_run(&post->catch);
        post->cost_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID) - begin_ns;
        is_at_end = post->catch.end == PROF_HOLD_LATE;
        (void)sem_post(&post->done);
        (void)!write(post->told, &one, sizeof one);
    }
    prof_catch_end(&post->catch);
    return NULL;
}

struct prof_post *prof_post_create(
    struct prof_roster *roster, uint32_t processor, int told)
{
    struct prof_post *post = calloc(1, sizeof *post);
    if (post == NULL)
        return NULL;
    post->catch.roster = roster;
    post->catch.processor = processor;
    post->told = told;
    (void)sem_init(&post->ordered, 0, 0);
    (void)sem_init(&post->done, 0, 0);
    return post;
}

/*
 * Signals are for the thread that takes the command's. Each stop has its
 * SIGCHLD, which nobody wants; to who blocks it, it is not ignored but wakes
 * another thread, while the one that stops waits for that.
 */
static void hire(struct prof_post *post)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)sigdelset(&all, SIGCHLD);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    post->has_thread = pthread_create(&post->thread, NULL, stand, post) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void dismiss(struct prof_post *post)
{
    (void)pthread_join(post->thread, NULL);
    post->has_thread = false;
}

void prof_post_destroy(struct prof_post *post)
{
    if (post == NULL)
        return;
    prof_post_wait(post);
    if (post->has_thread) {
        post->is_over = true;
        (void)sem_post(&post->ordered);
        dismiss(post);
    }
    (void)sem_destroy(&post->ordered);
    (void)sem_destroy(&post->done);
    free(post);
}

bool prof_post_is_free(const struct prof_post *post)
{
    return !post->has_order;
}

bool prof_post_order(struct prof_post *post, uint64_t moment_ns)
{
    if (!post->has_thread)
        hire(post);
    if (!post->has_thread)
        return false;
    post->has_order = true;
    post->catch.moment_ns = moment_ns;
    (void)sem_post(&post->ordered);
    return true;
}

const struct prof_catch *prof_post_take(
    struct prof_post *post, uint64_t *cost_ns)
{
    if (!post->has_order || sem_trywait(&post->done) != 0)
        return NULL;
    post->has_order = false;
    *cost_ns = post->cost_ns;
    if (post->catch.end == PROF_HOLD_LATE)
        dismiss(post);
    return &post->catch;
}

void prof_post_wait(struct prof_post *post)
{
    if (!post->has_order)
        return;
    wait_for(&post->done);
    (void)sem_post(&post->done);
}
