/*
 * How often a stack that is completed beyond its copy is completed wrongly:
 * bench_copies PERIOD_US BYTES COMMAND...
 *
 * Each sample of the command's first process is unwound from the whole copy,
 * which is the oracle where it reaches the thread's first frame, and once more
 * as if only so many bytes had been copied. Prints how many stacks were deeper
 * than that, how many of them were completed, and of these how many with a
 * wrong function and how many with another line of the right ones.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/attach/perf_regs.h"
#include "profiler/base/clock.h"
#include "profiler/collector/maps.h"
#include "profiler/tap/copied_stack.h"
#include "profiler/tap/events.h"

enum { THREADS_MAX = 256, WAIT_MS = 50, EPOLL_EVENTS = 8 };
#define SETTLE_NS UINT64_C(2000000)

struct sums {
    uint64_t deeper, completed, wrong, other_line;
};

static struct bench {
    uint32_t pid;
    uint64_t bytes; /* of the short copy */
    struct prof_tap_events events;
    struct prof_image_cache images;
    struct prof_code *code;
    uint32_t tids[THREADS_MAX];
    struct prof_known_stack known[THREADS_MAX];
    struct sums sums;
} bench;

static struct prof_known_stack *known_of(uint32_t tid)
{
    uint32_t i = 0;
    while (i < THREADS_MAX - 1 && bench.tids[i] != 0 && bench.tids[i] != tid)
        i++;
    bench.tids[i] = tid;
    return &bench.known[i];
}

/* From the whole copy and nothing else; false: it is no oracle. */
static bool walk_whole(
    const struct prof_copied_stack *stack, struct prof_walk *walk)
{
    static struct prof_known_stack nothing;
    memset(&nothing, 0, sizeof nothing);
    enum prof_copied_end end =
        prof_copied_stack_walk(stack, bench.code, &nothing, walk);
    prof_known_stack_fini(&nothing);
    return end == PROF_COPIED_COMPLETE;
}

static uint64_t function_of(uint64_t word)
{
    return prof_code_function(&bench.code->modules, prof_pc_of_word(word));
}

static bool has_same_functions(
    const struct prof_walk *walk, const struct prof_walk *truth)
{
    uint32_t i = 0;
    while (i < walk->count && i < truth->count &&
           function_of(walk->frames[i]) == function_of(truth->frames[i]))
        i++;
    return i == walk->count && i == truth->count;
}

static void compare(
    const struct prof_copied_stack *whole, const struct prof_walk *truth)
{
    static uint64_t frames[PROF_COPIED_FRAMES_MAX];
    struct prof_walk walk = {
        .frames = frames, .capacity = PROF_COPIED_FRAMES_MAX};
    struct prof_copied_stack stack = *whole;
    bool is_deeper = truth->sp - stack.regs.value[PROF_REG_SP] > bench.bytes;
    if (stack.size_bytes > bench.bytes) {
        stack.size_bytes = bench.bytes;
        stack.has_hole = false;
    }
    stack.is_live = true;
    enum prof_copied_end end =
        prof_copied_stack_walk(&stack, bench.code, known_of(stack.tid), &walk);
    bench.sums.deeper += is_deeper;
    if (!is_deeper || end != PROF_COPIED_COMPLETE)
        return;
    bench.sums.completed++;
    if (walk.count == truth->count &&
        memcmp(frames, truth->frames, walk.count * sizeof *frames) == 0)
        return;
    if (has_same_functions(&walk, truth))
        bench.sums.other_line++;
    else
        bench.sums.wrong++;
}

static void take_sample(const struct prof_tap_record *record)
{
    static uint64_t frames[PROF_COPIED_FRAMES_MAX];
    struct prof_walk truth = {
        .frames = frames, .capacity = PROF_COPIED_FRAMES_MAX};
    struct prof_copied_stack stack = {
        .bytes = record->stack,
        .size_bytes = record->stack_bytes,
        .has_hole = record->is_less,
        .time_ns = record->time_ns,
        .tid = record->tid};
    if (record->regs == NULL || bench.code == NULL)
        return;
    prof_perf_regs_read(record->regs, &stack.regs);
    prof_code_publish(bench.code);
    if (walk_whole(&stack, &truth))
        compare(&stack, &truth);
}

static void take_mapping(const struct prof_tap_record *record)
{
    const struct prof_maps_line line = prof_tap_record_line(record);
    if (record->is_code && bench.code != NULL && prof_maps_is_code(&line))
        prof_code_map(bench.code, &line);
}

static void take_records(uint64_t limit_ns)
{
    struct prof_tap_ring *ring;
    (void)prof_tap_rings_refresh(&bench.events.rings);
    while ((ring = prof_tap_rings_next(&bench.events.rings, limit_ns)) !=
           NULL) {
        struct prof_tap_record record;
        if (prof_tap_record_parse(
                prof_tap_ring_peek(ring, bench.events.rings.copy), &record) &&
            record.pid == bench.pid) {
            if (record.type == PERF_RECORD_SAMPLE)
                take_sample(&record);
            else if (record.type == PERF_RECORD_MMAP2)
                take_mapping(&record);
            else if (record.type == PERF_RECORD_COMM && record.is_exec)
                bench.code = prof_code_create(bench.pid, &bench.images);
        }
        prof_tap_ring_pass(ring);
    }
}

/* It executes the command when the pipe is closed. */
static pid_t begin(char **command, int *gate)
{
    int ends[2];
    if (pipe(ends) != 0)
        exit(1);
    pid_t child = fork();
    if (child == 0) {
        char byte;
        (void)close(ends[1]);
        (void)!read(ends[0], &byte, 1);
        (void)!freopen("/dev/null", "w", stdout);
        (void)execvp(command[0], command);
        _exit(127);
    }
    (void)close(ends[0]);
    *gate = ends[1];
    return child;
}

int main(int argc, char **argv)
{
    int gate, status;
    struct diag diag = {.status = STATUS_OK};
    if (argc < 4)
        return 2;
    bench.bytes = strtoull(argv[2], NULL, 10);
    bench.pid = (uint32_t)begin(argv + 3, &gate);
    prof_image_cache_init(&bench.images);
    const struct prof_tap_wanted wanted = {
        .period_ns = strtoull(argv[1], NULL, 10) * 1000,
        .is_inherited = true,
        .is_at_exec = true};
    if (prof_tap_events_open(&bench.events, &wanted, &diag) != STATUS_OK ||
        prof_tap_events_add(&bench.events, bench.pid, &diag) != STATUS_OK) {
        fprintf(stderr, "%s\n", diag.text);
        return 1;
    }
    (void)close(gate);
    while (waitpid((pid_t)bench.pid, &status, WNOHANG) == 0) {
        struct epoll_event events[EPOLL_EVENTS];
        (void)epoll_wait(
            bench.events.rings.epoll, events, EPOLL_EVENTS, WAIT_MS);
        take_records(clock_now_ns(CLOCK_MONOTONIC) - SETTLE_NS);
    }
    printf(
        "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", bench.sums.deeper,
        bench.sums.completed, bench.sums.wrong, bench.sums.other_line);
    prof_tap_events_close(&bench.events);
    return status == 0 ? 0 : 1;
}
