/*
 * Interposed: pthread_create. A new thread gets a timer of its own, and
 * inherits a signal mask that only the program believes in.
 */
#include "profiler/agent/shell.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "profiler/agent/core.h"

struct thread_start {
    void *(*run)(void *);
    void *argument;
    unsigned mask_beliefs;
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
    shell_mask_inherit(start.mask_beliefs);
    int timer = prof_timers_wanted() ? prof_timer_arm(gettid(), true) : -1;
    pthread_cleanup_push(disarm, &timer);
    result = start.run(start.argument);
    pthread_cleanup_pop(1);
    return result;
}

INTERPOSE int pthread_create(
    pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
    void *argument)
{
    unsigned beliefs = shell_mask_beliefs();
    struct thread_start *start =
        prof_timers_wanted() || beliefs != 0 ? malloc(sizeof *start) : NULL;
    if (start == NULL)
        return shell_real()->pthread_create(thread, attributes, run, argument);

    *start = (struct thread_start){
        .run = run, .argument = argument, .mask_beliefs = beliefs};
    int result =
        shell_real()->pthread_create(thread, attributes, run_thread, start);
    if (result != 0)
        free(start);
    return result;
}
