/*
 * Interposed: pthread_create. A new thread's stack is published to the
 * unwinder, it gets a timer of its own, and it inherits a signal mask that
 * only the program believes in.
 */
#include "profiler/agent/shell.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "profiler/agent/core.h"
#include "profiler/agent/shell_engine.h"

struct thread_start {
    void *(*run)(void *);
    void *argument;
    unsigned mask_beliefs;
    bool has_mask; /* of its own, by pthread_attr_setsigmask_np() */
};

struct thread_end {
    int timer;
    uint64_t stack;
};

static void end_thread(void *context)
{
    struct thread_end *end = context;
    prof_timer_disarm(end->timer);
    shell_engine_drop_stack(end->stack);
}

/* By whichever way the thread ends: return, pthread_exit, cancellation. */
static void *run_thread(void *context)
{
    struct thread_start start = *(struct thread_start *)context;
    free(context);

    void *result = NULL;
    shell_mask_inherit(start.mask_beliefs);
    if (start.has_mask)
        shell_mask_begin();
    struct thread_end end = {.stack = shell_engine_add_stack()};
    end.timer = prof_timers_wanted() ? prof_timer_arm(gettid(), true) : -1;
    pthread_cleanup_push(end_thread, &end);
    result = start.run(start.argument);
    pthread_cleanup_pop(1);
    return result;
}

INTERPOSE int pthread_create(
    pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
    void *argument)
{
    unsigned beliefs = shell_mask_beliefs();
    sigset_t own;
    bool has_mask =
        attributes != NULL && pthread_attr_getsigmask_np(attributes, &own) == 0;
    struct thread_start *start = prof_timers_wanted() || beliefs || has_mask
                                     ? malloc(sizeof *start)
                                     : NULL;
    if (start == NULL)
        return shell_real()->pthread_create(thread, attributes, run, argument);

    *start = (struct thread_start){
        .run = run,
        .argument = argument,
        .mask_beliefs = beliefs,
        .has_mask = has_mask};
    int result =
        shell_real()->pthread_create(thread, attributes, run_thread, start);
    if (result != 0)
        free(start);
    return result;
}
