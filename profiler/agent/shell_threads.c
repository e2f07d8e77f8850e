/*
 * Interposed: pthread_create, where every thread needs a timer of its own.
 * Perf events are inherited by new threads; then this only passes through.
 */
#include "profiler/agent/shell.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "profiler/agent/core.h"

struct thread_start {
    void *(*run)(void *);
    void *argument;
};

static void disarm(void *timer)
{
    prof_timer_disarm(*(int *)timer);
}

/* By whichever way the thread ends: return, pthread_exit, cancellation. */
static void *run_thread(void *context)
{
    struct thread_start start = *(struct thread_start *)context;
    free(context);

    void *result = NULL;
    int timer = prof_timer_arm(gettid());
    pthread_cleanup_push(disarm, &timer);
    result = start.run(start.argument);
    pthread_cleanup_pop(1);
    return result;
}

INTERPOSE int pthread_create(
    pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
    void *argument)
{
    typedef int function(
        pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    function *next = (function *)shell_next("pthread_create");
    if (!prof_timers_wanted())
        return next(thread, attributes, run, argument);

    struct thread_start *start = malloc(sizeof *start);
    if (start == NULL)
        return next(thread, attributes, run, argument);
    *start = (struct thread_start){.run = run, .argument = argument};
    int result = next(thread, attributes, run_thread, start);
    if (result != 0)
        free(start);
    return result;
}
