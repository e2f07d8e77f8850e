/*
 * How long a thread is held for a sample by perf events:
 *
 *     bench_sample ROUNDS DEPTH_KIB
 *
 * On a stack so deep a loop is timed, step by step: of computing, or of a
 * message through the loopback and back. A step in which a record was written
 * took longer than others by what the sample took, in the caches too; so it is
 * told to a microsecond on a machine that is busy with other things. The rings
 * are those of a tap, and another processor reads them meanwhile; the events
 * are those of a tap, and the same with less of it. For each of them a line:
 *
 *     PLACE EVENT SAMPLES MEDIAN_NS
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/tap/events.h"

enum { HZ = 997, ROUND_MS = 300, LOOK_MS = 5, NS_PER_MS = 1000000 };
/* A step takes microseconds, of which the clock's reading is little. */
enum { WORKING_SET = 1 << 19, TOUCHES = 400, MESSAGE_BYTES = 200 };
enum { SAMPLES_MAX = 100000, STEPS_MAX = 1000000, KIB = 1024 };

/* A thread that lost its processor was not held by us. */
#define HELD_MOST_NS UINT64_C(400000)

struct place {
    const char *name;
    bool is_calling;
};

struct event {
    const char *name;
    uint64_t without;     /* of its sample_type */
    uint32_t stack_bytes; /* at most */
    pid_t pid;            /* -1: who is on the processor; 0: this thread */
};

static const struct place places[] = {{"computing", false}, {"calling", true}};

static const struct event kinds[] = {
    {"timer",
     PERF_SAMPLE_CALLCHAIN | PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER, 0,
     -1},
    {"kernel-chain", PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER, 0, -1},
    {"copy-4", 0, 4 * KIB, -1},
    {"copy-8", 0, 8 * KIB, -1},
    {"copy-16", 0, 16 * KIB, -1},
    {"tap", 0, UINT32_MAX, -1},
    {"on-thread", 0, UINT32_MAX, 0}};

enum { PLACES = sizeof places / sizeof *places };
enum { KINDS = sizeof kinds / sizeof *kinds };

/* Of each place and kind, over all rounds. */
static uint64_t held_ns[PLACES][KINDS][SAMPLES_MAX];
static uint32_t held_count[PLACES][KINDS];
static uint64_t step_ns[STEPS_MAX];

static struct prof_tap_events events;
static atomic_bool is_reading;
static volatile uint64_t sink;
static int writer, reader;

static void stay_on(unsigned cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    (void)sched_setaffinity(0, sizeof set, &set);
}

/* What is in the records is looked at, as an unwinder does. */
static void *read_rings(void *unused)
{
    stay_on(events.rings.count > 1 ? 1 : 0);
    while (atomic_load(&is_reading)) {
        struct prof_tap_ring *ring;
        (void)prof_tap_rings_refresh(&events.rings);
        while ((ring = prof_tap_rings_next(&events.rings, UINT64_MAX)) !=
               NULL) {
            struct prof_tap_record record;
            if (prof_tap_record_parse(
                    prof_tap_ring_peek(ring, events.rings.copy), &record))
                for (uint64_t i = 0; i < record.stack_bytes; i += 64)
                    sink += record.stack[i];
            prof_tap_ring_pass(ring);
        }
        (void)nanosleep(
            &(struct timespec){.tv_nsec = LOOK_MS * NS_PER_MS}, NULL);
    }
    return unused;
}

static bool connect_ends(void)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    int at_once = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    writer = socket(AF_INET, SOCK_STREAM, 0);
    bool is_good =
        bind(listener, (struct sockaddr *)&address, bytes) == 0 &&
        listen(listener, 1) == 0 &&
        getsockname(listener, (struct sockaddr *)&address, &bytes) == 0 &&
        connect(writer, (struct sockaddr *)&address, bytes) == 0;
    reader = accept(listener, NULL, NULL);
    return is_good && reader >= 0 &&
           setsockopt(
               writer, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once) == 0;
}

static void take_step(bool is_calling)
{
    static volatile uint8_t set[WORKING_SET];
    static uint32_t random = 1;
    char message[MESSAGE_BYTES] = {0};
    if (is_calling && (send(writer, message, sizeof message, 0) < 0 ||
                       recv(reader, message, sizeof message, 0) < 0))
        exit(1);
    for (int i = 0; i < TOUCHES; i++) {
        random = random * 1664525U + 1013904223U;
        set[random >> 13]++;
    }
}

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static uint64_t median(uint64_t *values, uint32_t count)
{
    qsort(values, count, sizeof *values, compare);
    return count > 0 ? values[count / 2] : 0;
}

/* Steps of a round: those without a record tell how long one takes. */
static void take_steps(unsigned place, unsigned kind)
{
    const volatile uint64_t *head =
        (const volatile void *)&events.rings.rows[0].page->data_head;
    uint64_t *held = held_ns[place][kind], now_ns, known = *head;
    uint32_t count = held_count[place][kind], begun = count, steps = 0;
    uint64_t then_ns = clock_now_ns(CLOCK_MONOTONIC);
    uint64_t end_ns = then_ns + ROUND_MS * (uint64_t)NS_PER_MS;
    for (; then_ns < end_ns; then_ns = now_ns) {
        take_step(places[place].is_calling);
        now_ns = clock_now_ns(CLOCK_MONOTONIC);
        uint64_t took_ns = now_ns - then_ns;
        if (*head == known) {
            if (steps < STEPS_MAX)
                step_ns[steps++] = took_ns;
        } else if (took_ns < HELD_MOST_NS && count < SAMPLES_MAX) {
            held[count++] = took_ns;
        }
        known = *head;
    }
    uint64_t step_takes_ns = median(step_ns, steps);
    for (uint32_t i = begun; i < count; i++)
        held[i] -= held[i] < step_takes_ns ? held[i] : step_takes_ns;
    held_count[place][kind] = count;
}

static void run_round(unsigned place, unsigned kind)
{
    struct perf_event_attr attr = events.attr;
    attr.sample_type &= ~kinds[kind].without;
    if (attr.sample_stack_user > kinds[kind].stack_bytes)
        attr.sample_stack_user = kinds[kind].stack_bytes;
    if ((attr.sample_type & PERF_SAMPLE_REGS_USER) == 0)
        attr.sample_regs_user = 0;
    int fd = (int)syscall(
        SYS_perf_event_open, &attr, kinds[kind].pid, 0, -1,
        PERF_FLAG_FD_CLOEXEC);
    if (fd < 0 ||
        ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, events.rings.rows[0].fd) != 0 ||
        ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) != 0) {
        perror("perf_event_open");
        exit(1);
    }
    take_steps(place, kind);
    (void)close(fd);
}

static void run_rounds(int rounds)
{
    for (int i = 0; i < rounds; i++) {
        for (unsigned place = 0; place < PLACES; place++) {
            for (unsigned kind = 0; kind < KINDS; kind++)
                run_round(place, kind);
        }
    }
}

/* Below so much of a stack, all of which is there. */
static void descend(int kib, int rounds)
{
    volatile char frame[KIB];
    memset((char *)frame, kib, sizeof frame);
    if (kib > 1)
        descend(kib - 1, rounds);
    else
        run_rounds(rounds);
    sink += (uint64_t)frame[0];
}

int main(int count, char **words)
{
    const struct prof_tap_wanted wanted = {.period_ns = 1000000000 / HZ};
    struct diag diag;
    pthread_t thread;
    if (count != 3)
        return 2;
    if (prof_tap_events_open(&events, &wanted, &diag) != STATUS_OK ||
        !events.is_on_processors || !connect_ends()) {
        (void)fprintf(stderr, "no events on processors\n");
        return 1;
    }
    atomic_store(&is_reading, true);
    if (pthread_create(&thread, NULL, read_rings, NULL) != 0)
        return 1;
    stay_on(0);
    descend(atoi(words[2]), atoi(words[1]));
    atomic_store(&is_reading, false);
    (void)pthread_join(thread, NULL);
    prof_tap_events_close(&events);
    for (unsigned place = 0; place < PLACES; place++) {
        for (unsigned kind = 0; kind < KINDS; kind++) {
            uint32_t samples = held_count[place][kind];
            (void)printf(
                "%s %s %u %lu\n", places[place].name, kinds[kind].name, samples,
                median(held_ns[place][kind], samples));
        }
    }
    return 0;
}
