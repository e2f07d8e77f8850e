/* Threads that come, go, are cancelled and jump about: host_threads CASE. */
#include <link.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/programs/host_case.h"

static void *work(void *nothing)
{
    burn_ns(BRIEFLY / 4);
    return nothing;
}

/* ---- coming and going ---- */

static void *do_nothing(void *nothing)
{
    return nothing;
}

/* As fast as the machine makes them, which is 10 000 a second and more. */
static void *make_brief_threads(void *made)
{
    for (int i = 0; i < 2000; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, do_nothing, made) != 0)
            return NULL;
        pthread_join(thread, NULL);
    }
    return made;
}

static void many_threads(void)
{
    pthread_t makers[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&makers[i], NULL, make_brief_threads, makers);
    for (int i = 0; i < 2; i++) {
        void *result = NULL;
        pthread_join(makers[i], &result);
        printf("%d\n", result == makers);
    }
}

static void *detach(void *left)
{
    (void)stir(1);
    __atomic_sub_fetch((int *)left, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static void detached_threads(void)
{
    static int left = 500;
    pthread_attr_t attributes;
    int failed = 0;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    for (int i = 0; i < 500; i++) {
        pthread_t thread;
        failed += pthread_create(&thread, &attributes, detach, &left) != 0;
    }
    while (__atomic_load_n(&left, __ATOMIC_SEQ_CST) > 0)
        usleep(1000);
    printf("%d failed\n", failed);
}

static void small_stacks(void)
{
    for (size_t bytes = PTHREAD_STACK_MIN; bytes <= 65536; bytes *= 2) {
        pthread_attr_t attributes;
        pthread_t thread;
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, bytes);
        int error = pthread_create(&thread, &attributes, work, NULL);
        printf("%zu: %d\n", bytes, error);
        if (error == 0)
            pthread_join(thread, NULL);
        pthread_attr_destroy(&attributes);
    }
}

static void *burn_for_ever(void *nothing)
{
    for (uint64_t seed = 1;;)
        seed = stir(seed);
    return nothing;
}

static void *exit_here(void *nothing)
{
    burn_ns(BRIEFLY);
    exit(11);
    return nothing;
}

static void exit_from_a_thread(void)
{
    pthread_t threads[4];
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, burn_for_ever, NULL);
    pthread_create(&threads[3], NULL, exit_here, NULL);
    pthread_join(threads[3], NULL);
}

static void *outlive_main(void *nothing)
{
    burn_ns(BRIEFLY);
    printf("outlived\n");
    return nothing;
}

static void main_leaves_first(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, outlive_main, NULL);
    burn_ns(BRIEFLY / 4);
    pthread_exit(NULL);
}

static int has_list;

static int hold_list(struct dl_phdr_info *info, size_t bytes, void *nothing)
{
    (void)info, (void)bytes, (void)nothing;
    __atomic_store_n(&has_list, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&has_list, __ATOMIC_SEQ_CST))
        pause();
    return 1;
}

static void *hold_lock(void *nothing)
{
    dl_iterate_phdr(hold_list, nothing);
    return nothing;
}

/* A child whose parent's thread holds the lock of the loader's list. */
static void leave_in_a_child(void)
{
    pthread_t thread;
    int status = 0;
    burn_ns(BRIEFLY);
    pthread_create(&thread, NULL, hold_lock, NULL);
    while (!__atomic_load_n(&has_list, __ATOMIC_SEQ_CST))
        usleep(100);
    pid_t child = fork();
    if (child == 0) {
        alarm(20); /* nothing that hangs is left behind */
        burn_ns(BRIEFLY / 4);
        _exit(3);
    }
    waitpid(child, &status, 0);
    printf("status %x\n", (unsigned)status);
    (void)fflush(stdout);
    (void)kill(getpid(), SIGKILL); /* the lock is still held */
}

/* ---- cancellation ---- */

static _Thread_local int *cleaned_here;

static void clean(void *begun)
{
    (void)begun;
    __atomic_add_fetch(cleaned_here, 1, __ATOMIC_SEQ_CST);
}

struct victim {
    int cleaned;
    int has_begun;
    void (*be_busy)(void);
    int type;
};

/* Where it is cancelled there are frames to unwind, with work to do there. */
__attribute__((noipa)) static void descend(const struct victim *victim, int by)
{
    pthread_cleanup_push(clean, NULL);
    if (by > 0)
        descend(victim, by - 1);
    else
        victim->be_busy();
    pthread_cleanup_pop(0);
}

static void *be_cancelled(void *context)
{
    struct victim *victim = context;
    cleaned_here = &victim->cleaned;
    burn_ns(NS_PER_MS);
    pthread_setcanceltype(victim->type, NULL);
    __atomic_store_n(&victim->has_begun, 1, __ATOMIC_SEQ_CST);
    descend(victim, 5);
    return NULL;
}

static void compute(void)
{
    (void)burn_for_ever(NULL);
}

static void compute_and_test(void)
{
    for (;;) {
        (void)stir(1);
        pthread_testcancel();
    }
}

static void wait_for_ever(void)
{
    for (;;)
        pause();
}

static void cancel(void)
{
    static const struct victim kinds[] = {
        {.be_busy = compute, .type = PTHREAD_CANCEL_ASYNCHRONOUS},
        {.be_busy = compute_and_test, .type = PTHREAD_CANCEL_DEFERRED},
        {.be_busy = wait_for_ever, .type = PTHREAD_CANCEL_DEFERRED}};
    enum { KINDS = sizeof kinds / sizeof *kinds, TURNS = 30 };
    int cleaned[KINDS] = {0}, ended[KINDS] = {0};
    for (int i = 0; i < KINDS * TURNS; i++) {
        struct victim victim = kinds[i % KINDS];
        pthread_t thread;
        void *result = NULL;
        pthread_create(&thread, NULL, be_cancelled, &victim);
        while (!__atomic_load_n(&victim.has_begun, __ATOMIC_SEQ_CST))
            usleep(100);
        usleep(i % 5 * 500);
        pthread_cancel(thread);
        pthread_join(thread, &result);
        ended[i % KINDS] += result == PTHREAD_CANCELED;
        cleaned[i % KINDS] += victim.cleaned;
    }
    for (int i = 0; i < KINDS; i++)
        /* What computes may be in the middle of its descent. */
        printf("%d canceled, %d cleaned\n", ended[i], i ? cleaned[i] : 0);
}

/* ---- jumps ---- */

static _Thread_local sigjmp_buf out;
static _Thread_local volatile sig_atomic_t is_out_set;

static void jump(int number)
{
    if (is_out_set)
        siglongjmp(out, number);
}

/* Each is thrown out of its work by signals, over and over. */
static void *be_thrown_out(void *main_thread)
{
    volatile int jumps = 0;
    while (jumps < 100) {
        if (sigsetjmp(out, 1) == 0) {
            is_out_set = 1;
            for (int i = 0; i < 20; i++)
                (void)stir((uint64_t)i);
            if (main_thread != NULL)
                pthread_kill(pthread_self(), SIGUSR1);
        } else {
            jumps = jumps + 1;
        }
        is_out_set = 0;
    }
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    return (
        void
            *)(intptr_t)(jumps + sigismember(&mask, SIGUSR1) + sigismember(&mask, SIGPROF));
}

static void jump_out_of_handlers(void)
{
    pthread_t threads[3];
    pthread_t self = pthread_self();
    struct sigaction action = {.sa_handler = jump};
    sigaction(SIGUSR1, &action, NULL);
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, be_thrown_out, &self);
    for (int i = 0; i < 3; i++) {
        void *jumps;
        pthread_join(threads[i], &jumps);
        printf("%d\n", (int)(intptr_t)jumps);
    }
}

__attribute__((noipa)) static void descend_and_jump(jmp_buf *to, int depth)
{
    if (depth > 0)
        descend_and_jump(to, depth - 1);
    else if (to != NULL)
        longjmp(*to, 1);
    __asm__ volatile(""); /* no tail call */
}

static void *jump_far(void *nothing)
{
    jmp_buf here;
    volatile intptr_t jumps = 0;
    volatile double kept = 1;
    while (jumps < 400000) {
        if (setjmp(here) == 0)
            descend_and_jump(&here, 1 + (int)(jumps % 50));
        jumps = jumps + 1;
        kept = kept + 0.5;
    }
    (void)nothing;
    return (void *)(jumps + (intptr_t)kept);
}

static void jump_loops(void)
{
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, jump_far, NULL);
    for (int i = 0; i < 3; i++) {
        void *result;
        pthread_join(threads[i], &result);
        printf("%d\n", (int)(intptr_t)result);
    }
}

int main(int argc, char **argv)
{
    static const struct host_case cases[] = {
        {"cancel", cancel},
        {"detached_threads", detached_threads},
        {"exit_from_a_thread", exit_from_a_thread},
        {"jump_loops", jump_loops},
        {"jump_out_of_handlers", jump_out_of_handlers},
        {"main_leaves_first", main_leaves_first},
        {"leave_in_a_child", leave_in_a_child},
        {"many_threads", many_threads},
        {"small_stacks", small_stacks},
    };
    return HOST_CASES(cases, argc, argv);
}
