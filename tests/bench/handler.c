/*
 * handler: what one signal costs, handled by nothing, by our handler, by that
 * of gperftools and by libunwind's two walks, at several depths of stack, in
 * one process and in turn.
 *
 * Ours is the whole of the agent's handler: the core's objects as they are
 * linked into the library, a walk from CFI and a record in a ring, which is
 * emptied outside the measured time. The signal is sent to the thread by
 * itself, as a timer's, so that every handler takes it for a sample; nothing
 * of the timer's own cost is in the figures.
 *
 * Prints NAME DEPTH NANOSECONDS, the median of the rounds.
 */
#define UNW_LOCAL_ONLY
#include <dlfcn.h>
#include <libunwind.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "profiler/agent/core.h"
#include "profiler/agent/sig_handler.h"
#include "profiler/agent/vdso.h"
#include "profiler/wire/cookie.h"
#include "tests/profiler/ring_fixture.h"
#include "tests/profiler/unwind/live.h"

#ifndef GPERFTOOLS
#define GPERFTOOLS "libprofiler.so.0"
#endif

enum { FRAMES_MAX = 1024, ROUNDS = 41, SIGNALS = 200 };

static struct ring_pair *ring;
static pid_t own_pid; /* and tid: the first thread's */
static struct sigaction gperftools;
static void *pointers[FRAMES_MAX];
static volatile unsigned frame_count;

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* As a CPU-clock timer of the agent's sends it. */
static void send_sample(void)
{
    siginfo_t info = {.si_signo = SIGPROF, .si_code = SI_TIMER};
    info.si_value.sival_ptr = (void *)(uintptr_t)WIRE_COOKIE;
    (void)syscall(SYS_rt_tgsigqueueinfo, own_pid, own_pid, SIGPROF, &info);
}

/* ---- the handlers ---- */

static void do_nothing(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info, (void)context;
}

static void walk_trace(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info, (void)context;
    frame_count = (unsigned)unw_backtrace(pointers, FRAMES_MAX);
}

static void walk_steps(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info;
    unw_cursor_t cursor;
    unsigned count = 0;
    (void)unw_init_local2(&cursor, context, UNW_INIT_SIGNAL_FRAME);
    do {
        unw_word_t pc;
        (void)unw_get_reg(&cursor, UNW_REG_IP, &pc);
        pointers[count++] = (void *)(uintptr_t)pc;
    } while (count < FRAMES_MAX && unw_step(&cursor) > 0);
    frame_count = count;
}

static void use(void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction action = {
        .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
    (void)sigaction(SIGPROF, &action, NULL);
}

static void use_nothing(void)
{
    use(do_nothing);
}

/* As profiler/agent/signals.c installs it, but for the restorer. */
static void use_ours(void)
{
    struct sigaction action = {
        .sa_sigaction =
            (void (*)(int, siginfo_t *, void *))(uintptr_t)prof_handle_signal,
        .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
    (void)sigfillset(&action.sa_mask);
    (void)sigaction(SIGPROF, &action, NULL);
}

static void use_gperftools(void)
{
    (void)sigaction(SIGPROF, &gperftools, NULL);
}

static void use_trace(void)
{
    use(walk_trace);
}

static void use_steps(void)
{
    use(walk_steps);
}

/* ---- setting up ---- */

/* Start it at one sample a second, and take its handler for ourselves. */
static bool find_gperftools(void)
{
    (void)setenv("CPUPROFILE_FREQUENCY", "1", 1);
    void *library = dlopen(GPERFTOOLS, RTLD_NOW | RTLD_LOCAL);
    int (*start)(const char *) = NULL;
    if (library != NULL)
        *(void **)&start = dlsym(library, "ProfilerStart");
    return start != NULL && start("/dev/null") != 0 &&
           sigaction(SIGPROF, NULL, &gperftools) == 0 &&
           (gperftools.sa_flags & SA_SIGINFO) != 0;
}

static uint32_t find_tid_offset(void)
{
    const uint32_t *field =
        dlvsym(RTLD_DEFAULT, "_thread_db_pthread_tid", "GLIBC_PRIVATE");
    return field != NULL ? field[2] : 0;
}

/* The core as HELLO leaves it, without a collector. */
static void start_core(void)
{
    struct prof_cfi_engine *cfi = live_create();
    ring = make_ring();
    prof_core.pid = (uint32_t)getpid();
    prof_core.config.tid_offset = find_tid_offset();
    prof_core.ring = ring->writer;
    prof_core.engine = &cfi->engine;
    prof_core.scratch = calloc(PROF_SCRATCH_COUNT, sizeof *prof_core.scratch);
    prof_core.clock_gettime = (long (*)(int, void *))prof_vdso_clock_gettime(
        (const void *)getauxval(AT_SYSINFO_EHDR));
    if (prof_core.scratch == NULL || prof_core.clock_gettime == NULL)
        abort();
    atomic_store(&prof_core.is_active, 1);
}

/* ---- measuring ---- */

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static const struct {
    const char *name;
    void (*use)(void);
    unsigned divisor; /* of the number of signals: it is slow */
} HANDLERS[] = {
    {"empty", use_nothing, 1},          {"watchfire", use_ours, 1},
    {"unw_backtrace", use_trace, 1},    {"unw_step", use_steps, 10},
    {"gperftools", use_gperftools, 10},
};
enum { HANDLER_COUNT = sizeof HANDLERS / sizeof HANDLERS[0] };

static double run_round(unsigned handler)
{
    unsigned signals = SIGNALS / HANDLERS[handler].divisor;
    HANDLERS[handler].use();
    send_sample();
    uint64_t start = now_ns();
    for (unsigned i = 0; i < signals; i++)
        send_sample();
    double ns = (double)(now_ns() - start) / signals;
    while (read_ring(ring) > 0)
        continue;
    return ns;
}

__attribute__((noinline)) static void at_leaf(int depth)
{
    static double rounds[HANDLER_COUNT][ROUNDS];
    unsigned count = HANDLER_COUNT - (gperftools.sa_flags == 0);
    for (int round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < count; i++)
            rounds[i][round] = run_round(i);
    }
    for (unsigned i = 0; i < count; i++) {
        qsort(rounds[i], ROUNDS, sizeof rounds[i][0], compare);
        printf("%s %d %.0f\n", HANDLERS[i].name, depth, rounds[i][ROUNDS / 2]);
    }
    __asm__ volatile("");
}

/* Frames of three shapes in turn: small, large, with a frame pointer. */
__attribute__((noinline)) static void recurse(int left, int depth);

__attribute__((noinline)) static void recurse_large(int left, int depth)
{
    volatile char room[400];
    room[left % 400] = 1;
    recurse(left, depth);
    __asm__ volatile("" ::"r"(room[0]));
}

__attribute__((noinline, optimize("no-omit-frame-pointer"))) static void
recurse_framed(int left, int depth)
{
    recurse(left, depth);
    __asm__ volatile("");
}

static void recurse(int left, int depth)
{
    if (left <= 0)
        at_leaf(depth);
    else if (left % 8 == 3)
        recurse_framed(left - 2, depth);
    else if (left % 4 == 2)
        recurse_large(left - 2, depth);
    else
        recurse(left - 1, depth);
    __asm__ volatile("");
}

int main(void)
{
    static const int DEPTHS[] = {5, 50, 200};
    own_pid = getpid();
    (void)unw_backtrace(pointers, FRAMES_MAX); /* it allocates once */
    if (!find_gperftools())
        fprintf(stderr, "handler: %s is not there\n", GPERFTOOLS);
    start_core();
    for (unsigned i = 0; i < 3; i++)
        recurse(DEPTHS[i], DEPTHS[i]);
    return prof_core.ring.header->loss[WIRE_LOSS_FULL] != 0;
}
