/*
 * Divides its CPU time between the kernel and computing:
 *
 *     reads SECONDS PERCENT BYTES    PERCENT of it in reads of BYTES each
 *     reads SECONDS PERCENT 0        PERCENT of it in page faults
 *
 * and prints what both really used, by the thread's own CPU clock, as JSON.
 * It turns from one to the other at random times: no clock can keep step.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/programs/burn.h"

#define WHOLE __attribute__((noipa))

/* Work between two looks at the clock, which is a system call itself. */
enum { CALLS_AT_ONCE = 16, STIRS_AT_ONCE = 32, MOST_BYTES = 1 << 24 };
enum { MOST_US = 160000 }; /* of a round */
enum { FRESH_BYTES = 1 << 20, PAGE_BYTES = 4096, FAULTS_AT_ONCE = 16 };

static int zeros;
static size_t read_bytes;
_Alignas(4096) static char buffer[MOST_BYTES];

WHOLE static void part_reading(uint64_t deadline_ns)
{
    while (thread_cpu_ns() < deadline_ns) {
        for (int i = 0; i < CALLS_AT_ONCE; i++) {
            if (read(zeros, buffer, read_bytes) < 0)
                exit(1);
            if (read_bytes > 4096)
                break;
        }
    }
}

/* Touches memory that is fresh, page by page. */
WHOLE static void part_faulting(uint64_t deadline_ns)
{
    static size_t at = FRESH_BYTES;
    while (thread_cpu_ns() < deadline_ns) {
        if (at == FRESH_BYTES) {
            if (madvise(buffer, FRESH_BYTES, MADV_DONTNEED) != 0)
                exit(1);
            at = 0;
        }
        for (int i = 0; i < FAULTS_AT_ONCE; i++, at += PAGE_BYTES)
            ((volatile char *)buffer)[at] = 1;
    }
}

WHOLE static void part_computing(uint64_t deadline_ns)
{
    uint64_t seed = deadline_ns;
    while (thread_cpu_ns() < deadline_ns) {
        for (int i = 0; i < STIRS_AT_ONCE; i++)
            seed = stir(seed);
    }
}

static uint64_t random_round_ns(void)
{
    static uint64_t state = 42;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return 1000 * ((state >> 33) % MOST_US);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 1;
    uint64_t percent = argc > 2 ? (uint64_t)atoi(argv[2]) : 42;
    read_bytes = argc > 3 ? (size_t)atol(argv[3]) : 4096;
    zeros = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    if (zeros < 0 || percent > 100 || read_bytes > sizeof buffer)
        return 2;

    /* Where there are huge pages, one fault would do for all of them. */
    (void)madvise(buffer, sizeof buffer, MADV_NOHUGEPAGE);
    void (*part)(uint64_t) = read_bytes > 0 ? part_reading : part_faulting;

    /* What one part took too long, its next rounds get less. */
    uint64_t kernel_ns = 0, computing_ns = 0, due_ns = 0;
    uint64_t start_ns = thread_cpu_ns(), now_ns = start_ns;
    uint64_t end_ns = start_ns + (uint64_t)(seconds * (double)NS_PER_SECOND);
    while (now_ns < end_ns) {
        due_ns += random_round_ns();
        uint64_t wanted_ns = due_ns * percent / 100;
        if (wanted_ns > kernel_ns)
            part(now_ns + wanted_ns - kernel_ns);
        uint64_t then_ns = thread_cpu_ns();
        kernel_ns += then_ns - now_ns;

        wanted_ns = due_ns * (100 - percent) / 100;
        if (wanted_ns > computing_ns)
            part_computing(then_ns + wanted_ns - computing_ns);
        now_ns = thread_cpu_ns();
        computing_ns += now_ns - then_ns;
    }
    printf(
        "{\"total_ns\": %" PRIu64 ", \"parts\": {\"%s\": %" PRIu64
        ", \"part_computing\": %" PRIu64 "}}\n",
        clock_ns(CLOCK_PROCESS_CPUTIME_ID),
        read_bytes > 0 ? "part_reading" : "part_faulting", kernel_ns,
        computing_ns);
    return 0;
}
