/*
 * places WAY [FILE]: burns half a second of CPU time in a function called
 * PLACES_NAME, after something became of the file it was started from, or of
 * the code in memory.
 *
 *   stay           nothing
 *   delete         the file is deleted
 *   become FILE    another one gets its name
 *   lift           the code is copied to memory that takes the file's place
 *   jit            the function is made at run time, in memory, and its name
 *                  written to /tmp/perf-PID.map
 *   jit-apart      the same, with a /tmp that only this process sees
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/programs/burn.h"

#ifndef PLACES_NAME
#define PLACES_NAME burn_here
#endif

#define BURN_NS (500 * NS_PER_MS)

extern uint64_t PLACES_NAME(void);

static volatile uint64_t sink;

__attribute__((noinline, noclone)) uint64_t PLACES_NAME(void)
{
    return burn_ns(BURN_NS) + sink;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* ---- text without a file ---- */

static void lift(void)
{
    unsigned long start = 0, end = 0, here = (unsigned long)&lift;
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        if (sscanf(line, "%lx-%lx r-xp", &start, &end) == 2 && start <= here &&
            here < end)
            break;
    }
    if (maps == NULL || here < start || here >= end)
        die("maps");
    fclose(maps);
    size_t bytes = end - start;
    void *copy = mmap(
        NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
        0);
    if (copy == MAP_FAILED)
        die("mmap");
    memcpy(copy, (void *)start, bytes);
    if (mprotect(copy, bytes, PROT_READ | PROT_EXEC) != 0 ||
        mremap(
            copy, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)start) ==
            MAP_FAILED)
        die("mremap");
}

/* ---- code made at run time ---- */

static void see_own_tmp(void)
{
    if (unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", "/tmp", "tmpfs", 0, NULL) != 0)
        die("a /tmp of our own");
}

/* dec %rdi; jne; ret: a loop of as many turns as its argument says. */
static void burn_in_jit(void)
{
    static const unsigned char code[] = {0x48, 0xff, 0xcf, 0x75, 0xfb,
                                         0x48, 0x31, 0xc0, 0xc3};
    void *bytes = mmap(
        NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes == MAP_FAILED)
        die("mmap");
    memcpy(bytes, code, sizeof code);
    char path[64];
    snprintf(path, sizeof path, "/tmp/perf-%d.map", (int)getpid());
    FILE *map = fopen(path, "we");
    if (map == NULL)
        die(path);
    fprintf(
        map, "%lx %zx made_at_run_time\n", (unsigned long)bytes, sizeof code);
    fclose(map);
    puts(path); /* for whoever removes it */
    void (*loop)(uint64_t);
    memcpy(&loop, &bytes, sizeof loop);
    uint64_t end = thread_cpu_ns() + BURN_NS;
    while (thread_cpu_ns() < end)
        loop(1 << 20);
}

int main(int argc, char **argv)
{
    const char *way = argc > 1 ? argv[1] : "";
    char self[512] = "";
    ssize_t bytes = readlink("/proc/self/exe", self, sizeof self - 1);
    if (bytes < 0)
        die("readlink");
    if (strncmp(way, "jit", 3) == 0) {
        if (strcmp(way, "jit-apart") == 0)
            see_own_tmp();
        burn_in_jit();
        return 0;
    }
    if (strcmp(way, "delete") == 0 && unlink(self) != 0)
        die("unlink");
    if (strcmp(way, "become") == 0 && rename(argv[2], self) != 0)
        die("rename");
    if (strcmp(way, "lift") == 0)
        lift();
    sink = PLACES_NAME();
    return 0;
}
