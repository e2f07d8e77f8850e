/*
 * ring: records a second through the ring, from 1 to 64 threads that write as
 * fast as they can, with one reader, as the collector reads it. A writer that
 * finds the ring full counts a loss and lets others run.
 *
 * Prints THREADS, records a second, nanoseconds of CPU time that a record
 * costs its writer and its reader, the share that was lost, and whether every
 * record is accounted for: those written are those read and those counted as
 * lost.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/profiler/ring_fixture.h"

enum { RECORDS = 1 << 21, FRAMES = 25, THREADS_MAX = 64 };

static struct ring_pair *ring;
static unsigned records_each;
static _Atomic unsigned running;

static double clock_ns(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void *write_records(void *cpu_ns)
{
    uint32_t tid = (uint32_t)syscall(SYS_gettid);
    const uint32_t bytes = sizeof(struct wire_sample) + 8 * FRAMES;
    double start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    for (unsigned i = 0; i < records_each; i++) {
        struct prof_claim claim = prof_ring_claim(&ring->writer, bytes, tid);
        if (claim.bytes == NULL) {
            (void)sched_yield();
            continue;
        }
        struct wire_sample *sample = claim.bytes;
        *sample = (struct wire_sample){
            .record = {.type = WIRE_SAMPLE, .tid = tid}, .frame_count = FRAMES};
        for (unsigned k = 0; k < FRAMES; k++)
            sample->frames[k] = i + k;
        prof_ring_commit(&ring->writer, &claim);
    }
    *(double *)cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - start;
    running--;
    return NULL;
}

static uint64_t read_records(void)
{
    uint64_t count = 0;
    for (;;) {
        bool is_last = running == 0;
        while (read_ring(ring) > 0)
            count++;
        if (is_last)
            return count;
        (void)sched_yield();
    }
}

static void measure(unsigned threads)
{
    pthread_t ids[THREADS_MAX];
    double cpu_ns[THREADS_MAX], sum_ns = 0;
    uint64_t lost = 0;
    ring = make_ring();
    records_each = RECORDS / threads;
    running = threads;
    double start = clock_ns(CLOCK_MONOTONIC);
    for (unsigned i = 0; i < threads; i++) {
        if (pthread_create(&ids[i], NULL, write_records, &cpu_ns[i]) != 0)
            abort();
    }
    double reader_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    uint64_t read = read_records();
    reader_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - reader_ns;
    double wall_ns = clock_ns(CLOCK_MONOTONIC) - start;
    for (unsigned i = 0; i < threads; i++) {
        (void)pthread_join(ids[i], NULL);
        sum_ns += cpu_ns[i];
    }
    for (int i = 0; i < WIRE_LOSS_COUNT; i++)
        lost += ring->writer.header->loss[i];
    uint64_t written = (uint64_t)records_each * threads;
    printf(
        "%u %.0f %.1f %.1f %.4f %s\n", threads, (double)read / wall_ns * 1e9,
        sum_ns / (double)read, reader_ns / (double)read,
        (double)lost / (double)written,
        read + lost == written ? "exact" : "WRONG");
    drop_ring(ring);
}

int main(void)
{
    static const unsigned THREADS[] = {1, 2, 8, 64};
    for (unsigned i = 0; i < 4; i++)
        measure(THREADS[i]);
    return 0;
}
