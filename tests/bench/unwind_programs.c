/*
 * unwind_programs: what one sample costs inside a real program, with the
 * caches that program leaves.
 *
 *     UNWIND_BENCH=ours|tables|trace LD_PRELOAD=libunwind_programs.so PROGRAM
 *
 * A perf clock interrupts the first thread a thousand times a CPU second; its
 * handler walks the stack, with our CFI alone (ours), with tables of rows
 * (tables) or with libunwind's fast trace (trace), and counts the processor's
 * time stamps. Standard error gets one line at the program's end. Objects
 * loaded later are not known, and show as incomplete walks.
 */
#define UNW_LOCAL_ONLY
#include <fcntl.h>
#include <libunwind.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "profiler/unwind/image.h"
#include "profiler/unwind/modules.h"
#include "profiler/unwind/sig_row_table.h"
#include "tests/profiler/unwind/live.h"

enum { FRAMES_MAX = 1024, SAMPLES_MAX = 1 << 17, PERIOD_NS = 1000000 };

static struct prof_cfi_engine *cfi;
static bool is_trace;
static int clock_fd = -1;
static uint64_t frames[FRAMES_MAX];
static void *pointers[FRAMES_MAX];
static double ticks[SAMPLES_MAX];
static unsigned long sample_count, frame_count, complete_count;

static void on_sample(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info;
    struct prof_walk walk = {.frames = frames, .capacity = FRAMES_MAX};
    unsigned processor;
    if (sample_count == SAMPLES_MAX)
        return;
    uint64_t start = __rdtscp(&processor);
    if (is_trace)
        walk.count = (uint32_t)unw_backtrace(pointers, FRAMES_MAX);
    else
        cfi->engine.walk(&cfi->engine, context, &walk);
    ticks[sample_count++] = (double)(__rdtscp(&processor) - start);
    frame_count += walk.count;
    complete_count += !is_trace && walk.end == PROF_WALK_COMPLETE;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static double ticks_per_ns(void)
{
    uint64_t start_ns = now_ns(), start = __rdtsc(), end_ns;
    do
        end_ns = now_ns();
    while (end_ns - start_ns < 20000000);
    return (double)(__rdtsc() - start) / (double)(end_ns - start_ns);
}

/* The table of the file a line of maps is of; NULL when it has none. */
static const struct prof_row_table *make_table(const char *path)
{
    struct prof_image *image;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || prof_image_open(fd, path, &image, NULL) != STATUS_OK ||
        prof_image_build_rows(image, NULL) != STATUS_OK)
        return NULL;
    return prof_image_rows(image); /* for as long as the process lives */
}

static void publish_tables(void)
{
    static struct prof_text texts[PROF_TEXTS_MAX];
    const struct prof_text_list *list = &cfi->modules.lists[1];
    uint32_t count = list->count;
    uint64_t bytes = 0;
    char line[1024], flags[5], path[512];
    unsigned long start, end;
    memcpy(texts, list->texts, sizeof texts[0] * count);
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        if (sscanf(
                line, "%lx-%lx %4s %*s %*s %*s %511s", &start, &end, flags,
                path) != 4 ||
            flags[2] != 'x' || path[0] != '/')
            continue;
        const struct prof_row_table *table = make_table(path);
        bytes += table != NULL ? prof_row_table_bytes(table) : 0;
        for (uint32_t i = 0; i < count; i++)
            if (texts[i].start >= start && texts[i].start < end)
                texts[i].rows = table;
    }
    if (maps != NULL)
        (void)fclose(maps);
    fprintf(stderr, "tables: %lu KiB\n", (unsigned long)(bytes / 1024));
    if (!prof_modules_settle(&cfi->modules, &cfi->cache) ||
        !prof_modules_publish(&cfi->modules, texts, count, &cfi->cache))
        abort();
}

static void start_clock(void)
{
    struct sigaction action = {
        .sa_sigaction = on_sample, .sa_flags = SA_SIGINFO | SA_RESTART};
    struct perf_event_attr event = {
        .type = PERF_TYPE_SOFTWARE,
        .config = PERF_COUNT_SW_CPU_CLOCK,
        .size = sizeof event,
        .sample_period = PERIOD_NS,
        .exclude_kernel = 1,
        .wakeup_events = 1,
    };
    struct f_owner_ex owner = {F_OWNER_TID, getpid()};
    clock_fd = (int)syscall(SYS_perf_event_open, &event, 0, -1, -1, 0);
    if (clock_fd < 0 || sigaction(SIGUSR2, &action, NULL) != 0 ||
        fcntl(clock_fd, F_SETFL, O_ASYNC) != 0 ||
        fcntl(clock_fd, F_SETSIG, SIGUSR2) != 0 ||
        fcntl(clock_fd, F_SETOWN_EX, &owner) != 0 ||
        ioctl(clock_fd, PERF_EVENT_IOC_ENABLE, 0) != 0)
        perror("unwind_programs");
}

__attribute__((constructor)) static void begin(void)
{
    const char *what = getenv("UNWIND_BENCH");
    if (what == NULL)
        return;
    is_trace = strcmp(what, "trace") == 0;
    cfi = live_create();
    if (strcmp(what, "tables") == 0)
        publish_tables();
    (void)unw_backtrace(pointers, FRAMES_MAX); /* it allocates once */
    start_clock();
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

__attribute__((destructor)) static void end(void)
{
    if (clock_fd < 0 || sample_count == 0)
        return;
    (void)ioctl(clock_fd, PERF_EVENT_IOC_DISABLE, 0);
    double scale = ticks_per_ns(), sum = 0;
    /* The last twentieth is what the scheduler did in between. */
    unsigned long kept = sample_count - sample_count / 20;
    qsort(ticks, sample_count, sizeof ticks[0], compare);
    for (unsigned long i = 0; i < kept; i++)
        sum += ticks[i];
    fprintf(
        stderr,
        "%lu samples, %.1f frames, median %.0f ns, mean of the lower 95 %% "
        "%.0f ns, %lu complete\n",
        sample_count, (double)frame_count / (double)sample_count,
        ticks[sample_count / 2] / scale, sum / (double)kept / scale,
        complete_count);
}
