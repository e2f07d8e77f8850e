/*
 * Interposed: pthread_create. A new thread's stack is published to the
 * unwinder, it gets a timer of its own, and it inherits a signal mask that
 * only the program believes in.
 */
#include "profiler/agent/shell.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "profiler/agent/core.h"
#include "profiler/agent/shell_alternate.h"
#include "profiler/agent/shell_engine.h"
#include "profiler/agent/sig_crash.h"
#include "profiler/agent/sig_timer.h"
#include "profiler/agent/timers.h"

/*
 * What goes from the maker of a thread to the thread. It is not malloc's: a
 * thread that frees memory gets an arena for that, 64 MiB of addresses, which
 * the program might never have made.
 */
struct thread_start {
    _Atomic bool is_taken;
    void *(*run)(void *);
    void *argument;
    size_t stack_bytes;
    unsigned mask_beliefs;
    bool has_mask; /* of its own, by pthread_attr_setsigmask_np() */
};

/* Taken from pthread_create() until the thread runs. Where more threads wait
   for a processor, more blocks are mapped; they stay, and are used again. */
enum { THREADS_STARTING = 256 };

struct start_block {
    struct thread_start places[THREADS_STARTING];
    struct start_block *_Atomic next;
};

static struct start_block first_block;

static struct thread_start *take_place(struct start_block *block)
{
    for (int i = 0; i < THREADS_STARTING; i++) {
        /* Pairs with the release in give_start_back(). */
        if (!atomic_exchange_explicit(
                &block->places[i].is_taken, true, memory_order_acquire))
            return &block->places[i];
    }
    return NULL;
}

/* The block behind `last`, by whichever thread it was made; NULL: no memory. */
static struct start_block *add_block(struct start_block *last)
{
    struct start_block *seen = NULL,
                       *added = mmap(
                           NULL, sizeof *added, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (added == MAP_FAILED)
        return NULL;
    /* Pairs with the acquire in take_start(): the block is zeroed. */
    if (atomic_compare_exchange_strong_explicit(
            &last->next, &seen, added, memory_order_acq_rel,
            memory_order_acquire))
        return added;
    (void)munmap(added, sizeof *added);
    return seen;
}

static struct thread_start *take_start(void)
{
    struct thread_start *start = NULL;
    struct start_block *block = &first_block;
    while (block != NULL && (start = take_place(block)) == NULL) {
        /* Pairs with the release in add_block(). */
        struct start_block *next =
            atomic_load_explicit(&block->next, memory_order_acquire);
        block = next != NULL ? next : add_block(block);
    }
    return start;
}

static void give_start_back(struct thread_start *start)
{
    /* Pairs with the acquire in take_place(): all of it has been read. */
    atomic_store_explicit(&start->is_taken, false, memory_order_release);
}

struct thread_end {
    int timer;
    uint64_t before_ns; /* its CPU time when it began; 0: not asked */
    uint64_t begin_ns;  /* when that was */
    uint64_t stack;
};

/*
 * A thread that makes brief ones is not seen by its perf event (collector's
 * perf_clock.h has the reason): from its sixteenth on it has a tick timer.
 */
enum { MANY_THREADS = 16 };

static _Thread_local struct {
    unsigned made;
    int timer;       /* 0: none */
    _Atomic int own; /* in place of a perf event; see sig_timer.h */
} maker __attribute__((tls_model("initial-exec")));

static void note_making(void)
{
    if (++maker.made != MANY_THREADS || prof_timers_are_changed() ||
        (prof_core.actions & WIRE_ARM_BRIEF) == 0)
        return;
    int timer = prof_timer_arm(gettid(), PROF_TIMER_LOSING);
    maker.timer = timer < 0 ? 0 : timer + 1;
}

void shell_threads_after_fork(void)
{
    maker.made = 0;
    /* A child has none of its parent's: timer_create(2). */
    maker.timer = 0;
    maker.own = 0;
}

_Atomic int *shell_threads_own_timer(void)
{
    return &maker.own;
}

/*
 * Where events have given way to timers the event that brings one may be here
 * before us, or come later, and find that there is one. Before that, the first
 * tick is all that is needed.
 */
static void begin_timer(struct thread_end *end)
{
    if (!prof_timers_wanted())
        return;
    if (prof_timers_are_changed())
        prof_timer_change(PROF_TIMER_AT_ONCE_NS);
    else
        end->timer = prof_timer_arm(gettid(), PROF_TIMER_BEGINNING);
    end->before_ns = prof_core_thread_cpu_ns();
    end->begin_ns = prof_core_now_ns();
}

static void end_thread(void *context)
{
    struct thread_end *end = context;
    if (end->before_ns > 0)
        prof_core_note_thread_end(end->before_ns, end->begin_ns);
    prof_timer_disarm(end->timer);
    prof_timer_disarm(maker.timer - 1);
    prof_timer_disarm(maker.own - 1);
    shell_alternate_drop();
    shell_engine_drop_stack(end->stack);
}

/* By whichever way the thread ends: return, pthread_exit, cancellation. */
static void *run_thread(void *context)
{
    struct thread_start *start = context;
    void *(*run)(void *) = start->run;
    void *argument = start->argument;
    size_t stack_bytes = start->stack_bytes;
    bool has_mask = start->has_mask;
    shell_mask_inherit(start->mask_beliefs);
    give_start_back(start);
    shell_alternate_begin(stack_bytes);

    void *result = NULL;
    if (has_mask)
        shell_mask_begin();
    struct thread_end end = {.stack = shell_engine_add_stack(stack_bytes)};
    end.timer = -1;
    begin_timer(&end);
    pthread_cleanup_push(end_thread, &end);
    result = run(argument);
    pthread_cleanup_pop(1);
    return result;
}

INTERPOSE int pthread_create(
    pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
    void *argument)
{
    unsigned beliefs = shell_mask_beliefs();
    bool are_timers_wanted = prof_timers_wanted();
    if (are_timers_wanted)
        note_making();
    sigset_t own;
    bool has_mask =
        attributes != NULL && pthread_attr_getsigmask_np(attributes, &own) == 0;
    bool is_needed = are_timers_wanted || beliefs != 0 || has_mask ||
                     prof_crash_is_wanted(SIGSEGV);
    struct thread_start *start = is_needed ? take_start() : NULL;
    if (start == NULL)
        return shell_real()->pthread_create(thread, attributes, run, argument);

    start->run = run;
    start->argument = argument;
    start->stack_bytes = shell_engine_stack_bytes(attributes);
    start->mask_beliefs = beliefs;
    start->has_mask = has_mask;
    int result =
        shell_real()->pthread_create(thread, attributes, run_thread, start);
    if (result != 0)
        give_start_back(start);
    return result;
}
