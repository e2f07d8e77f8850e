/*
 * Tells whether CPU-clock timers of the process are armed, works a little with
 * three threads until none ticks any more, tells so, and starts a child and
 * another program. Before that it says "begun" and waits for a line; with
 * another line in the end it works until one ticks again.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/programs/burn.h"

static _Atomic bool is_over;

static void work_a_little(void)
{
    struct timespec rest = {0, 60 * NS_PER_MS};
    burn_ns(8 * NS_PER_MS);
    (void)nanosleep(&rest, NULL);
}

static void *work(void *argument)
{
    while (!is_over)
        work_a_little();
    return argument;
}

struct timers {
    int ticking, resting; /* by their interval, above that of any rate */
};

/* All that are listed in proc(5), /proc/PID/timers; none are the program's. */
static struct timers count_armed(void)
{
    char line[128];
    int id;
    struct timers armed = {0};
    FILE *file = fopen("/proc/self/timers", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        struct itimerspec left = {0};
        if (sscanf(line, "ID: %d", &id) != 1 ||
            syscall(SYS_timer_gettime, id, &left) != 0 ||
            (left.it_value.tv_sec == 0 && left.it_value.tv_nsec == 0))
            continue;
        if (left.it_interval.tv_sec > 1)
            armed.resting++;
        else
            armed.ticking++;
    }
    if (file != NULL)
        (void)fclose(file);
    return armed;
}

/* A rest is over after some seconds of CPU time. */
static void work_until_ticking(void)
{
    uint64_t end_ns = thread_cpu_ns() + 10 * NS_PER_SECOND;
    while (count_armed().ticking == 0 && thread_cpu_ns() < end_ns)
        burn_ns(10 * NS_PER_MS);
    burn_ns(40 * NS_PER_MS);
    fprintf(stderr, "%s again\n", count_armed().ticking ? "ticks" : "never");
}

static void start_others(const char *own_path)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(3);
    (void)waitpid(child, &status, 0);
    printf("child %d\n", WEXITSTATUS(status));
    child = fork();
    if (child == 0) {
        (void)execl(own_path, own_path, "hello", NULL);
        _exit(1);
    }
    (void)waitpid(child, &status, 0);
    printf("program %d\n", WEXITSTATUS(status));
}

int main(int argc, char **argv)
{
    pthread_t threads[2];
    char line[16];
    if (argc > 1)
        return 4;
    fprintf(
        stderr, "%s armed\n",
        count_armed().ticking > 0 ? "some were" : "none was");
    (void)setvbuf(stdout, NULL, _IONBF, 0);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, work, NULL);
    work_a_little();
    printf("begun\n");
    if (fgets(line, sizeof line, stdin) == NULL)
        return 1;
    uint64_t end_ns = clock_ns(CLOCK_MONOTONIC) + 55 * NS_PER_SECOND;
    do
        work_a_little();
    while (count_armed().ticking > 0 && clock_ns(CLOCK_MONOTONIC) < end_ns);
    struct timers left = count_armed();
    printf("%d tick, %d rest\n", left.ticking, left.resting);
    start_others(argv[0]);
    if (fgets(line, sizeof line, stdin) != NULL)
        work_until_ticking();
    is_over = true;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    return 7;
}
