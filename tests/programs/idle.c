/*
 * Threads that do nothing: idle SECONDS THREADS.
 *
 * They sleep until the process ends, so that nobody wakes but the first
 * thread. It prints how long they all have lived, in ns, and how often they
 * left a CPU of their own accord, as JSON.
 */
#include <dirent.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/programs/burn.h"

static _Atomic uint64_t begun_ns; /* the sum */
static _Atomic int begun;

static void sleep_ns(uint64_t ns)
{
    struct timespec time = {
        .tv_sec = (time_t)(ns / NS_PER_SECOND),
        .tv_nsec = (long)(ns % NS_PER_SECOND)};
    nanosleep(&time, NULL);
}

__attribute__((noipa)) static void doze(void)
{
    sleep_ns(3600 * NS_PER_SECOND);
}

static void *run_idle(void *argument)
{
    begun_ns += clock_ns(CLOCK_MONOTONIC);
    begun++;
    doze();
    return argument;
}

static long switches_of(const char *tid)
{
    char path[300], line[256];
    long switches = 0;
    snprintf(path, sizeof path, "/proc/self/task/%s/status", tid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "voluntary_ctxt_switches: %ld", &switches) == 1)
            break;
    fclose(file);
    return switches;
}

/* Of all threads but the first, whose id is the process's. */
static long all_switches(void)
{
    long sum = 0;
    char first[16];
    DIR *folder = opendir("/proc/self/task");
    snprintf(first, sizeof first, "%d", getpid());
    if (folder == NULL)
        return -1;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, first) != 0)
            sum += switches_of(entry->d_name);
    closedir(folder);
    return sum;
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 1;
    int count = argc > 2 ? atoi(argv[2]) : 1;
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    for (int i = 0; i < count; i++) {
        pthread_t thread;
        if (pthread_create(&thread, &small, run_idle, NULL) != 0)
            return 1;
    }
    while (begun < count)
        sleep_ns(NS_PER_MS);
    sleep_ns((uint64_t)(seconds * 1e9));
    long switches = all_switches();
    printf(
        "{\"lived_ns\": %" PRIu64 ", \"switches\": %ld}\n",
        (uint64_t)count * clock_ns(CLOCK_MONOTONIC) - begun_ns, switches);
    return 0;
}
