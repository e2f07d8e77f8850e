/*
 * Lowers a limit of its own to what is in use, or uses it up, works on, and
 * tells what it got beyond.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/programs/host_case.h"

static const char *own_path;

static void limit(int resource, rlim_t soft, rlim_t hard)
{
    struct rlimit wanted = {soft, hard};
    if (setrlimit(resource, &wanted) != 0)
        printf("setrlimit: %s\n", strerror(errno));
}

/* ---- work, and what comes of it ---- */

static void *work(void *argument)
{
    burn_ns(BRIEFLY);
    return argument;
}

static void try_a_thread(void)
{
    pthread_t thread;
    int error = pthread_create(&thread, NULL, work, NULL);
    printf("thread: %s\n", error ? strerror(error) : "done");
    if (error == 0)
        pthread_join(thread, NULL);
}

static void try_a_child(void)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        burn_ns(BRIEFLY);
        _exit(5);
    }
    printf("child: %s\n", child < 0 ? strerror(errno) : "made");
    if (child > 0 && waitpid(child, &status, 0) == child)
        printf("status %d\n", WEXITSTATUS(status));
}

static void try_another_program(void)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        (void)execl(own_path, own_path, "hello", NULL);
        _exit(errno);
    }
    if (child > 0 && waitpid(child, &status, 0) == child)
        printf("program: status %d\n", WEXITSTATUS(status));
}

static void try_all(void)
{
    burn_ns(BRIEFLY);
    try_a_thread();
    try_a_child();
    try_another_program();
}

static void hello(void)
{
    burn_ns(BRIEFLY);
    printf("hello\n");
}

/* ---- descriptors ---- */

/* The lowest that is free: what a program sees of ours. */
static void files_in_use(void)
{
    int lowest = dup(0);
    printf("lowest %d\n", lowest);
    limit(RLIMIT_NOFILE, (rlim_t)lowest + 1, (rlim_t)lowest + 1);
    try_all();
}

static void files_used_up(void)
{
    int count = 0;
    limit(RLIMIT_NOFILE, 40, 40);
    while (open("/dev/null", O_RDONLY) >= 0)
        count++;
    printf("%d files\n", count);
    try_all();
}

/* ---- signals ---- */

static void no_signals(void)
{
    limit(RLIMIT_SIGPENDING, 0, 0);
    try_all();
}

static void signals_used_up(void)
{
    enum { MOST = 64 };
    int count = 0;
    sigset_t blocked;
    siginfo_t info;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGRTMIN + 3);
    (void)sigprocmask(SIG_BLOCK, &blocked, NULL);
    /* It counts what all processes of the user have queued. */
    limit(RLIMIT_SIGPENDING, MOST, MOST);
    while (count < 4 * MOST &&
           sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = 0}) ==
               0)
        count++;
    try_all();
    int taken = 0;
    struct timespec now = {0, 0};
    while (sigtimedwait(&blocked, &info, &now) > 0)
        taken++;
    printf("all %s\n", taken == count ? "taken" : "not taken");
}

/* ---- memory ---- */

static void no_memory_beyond(void)
{
    /* Measured in pages: what is mapped now, as the kernel counts it. */
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%lu", &pages) != 1)
        printf("no statm\n");
    if (file != NULL)
        (void)fclose(file);
    limit(RLIMIT_AS, pages * 4096, pages * 4096);
    char *block = malloc(64 << 20);
    printf("malloc: %s\n", block ? "done" : strerror(errno));
    try_all();
}

/* How many blocks there are under a limit: the guest takes some of them. */
static void memory_used_up(void)
{
    enum { BLOCK = 256 << 10, LIMIT = 128 << 20 };
    int count = 0;
    limit(RLIMIT_AS, LIMIT, LIMIT);
    for (char *block; (block = malloc(BLOCK)) != NULL; count++)
        *block = 1;
    printf("malloc: %s\n", strerror(errno));
    burn_ns(BRIEFLY);
    try_a_child();
    printf("%d blocks\n", count);
}

static void no_locked_memory(void)
{
    limit(RLIMIT_MEMLOCK, 0, 0);
    try_all();
}

/* ---- others ---- */

static void no_large_files(void)
{
    limit(RLIMIT_FSIZE, 0, 0);
    try_all();
}

static void no_large_files_for_now(void)
{
    struct rlimit found;
    limit(RLIMIT_FSIZE, 0, RLIM_INFINITY);
    try_all();
    (void)getrlimit(RLIMIT_FSIZE, &found);
    printf("%llu\n", (unsigned long long)found.rlim_cur);
}

static void no_processes(void)
{
    limit(RLIMIT_NPROC, 0, 0);
    try_all();
}

int main(int argc, char **argv)
{
    static const struct host_case cases[] = {
        {"hello", hello},
        {"files_in_use", files_in_use},
        {"files_used_up", files_used_up},
        {"no_signals", no_signals},
        {"signals_used_up", signals_used_up},
        {"no_memory_beyond", no_memory_beyond},
        {"memory_used_up", memory_used_up},
        {"no_locked_memory", no_locked_memory},
        {"no_large_files", no_large_files},
        {"no_large_files_for_now", no_large_files_for_now},
        {"no_processes", no_processes},
    };
    own_path = argv[0];
    return HOST_CASES(cases, argc, argv);
}
