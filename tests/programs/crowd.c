/*
 * crowd FOLDER THREADS: opens every library of a folder, calls into each,
 * starts threads that work for a moment and stay, and says what memory the
 * process then has: "resident KIB virtual KIB".
 */
#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/programs/burn.h"

enum { LIBRARIES_MAX = 4096, STACK_BYTES = 1 << 16 };

typedef uint64_t work_function(uint64_t);

static work_function *works[LIBRARIES_MAX];
static unsigned work_count;
static pthread_barrier_t arrived, leaving;

static int open_library(const char *folder, const char *name)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL || work_count == LIBRARIES_MAX)
        return -1;
    *(void **)&works[work_count] = dlsym(library, "crowd_work");
    return works[work_count++] != NULL ? 0 : -1;
}

static int open_libraries(const char *folder)
{
    DIR *entries = opendir(folder);
    int result = entries == NULL ? -1 : 0;
    for (struct dirent *entry; result == 0 && (entry = readdir(entries));) {
        if (strstr(entry->d_name, ".so") != NULL)
            result = open_library(folder, entry->d_name);
    }
    if (entries != NULL)
        (void)closedir(entries);
    return result;
}

static void *stay(void *index)
{
    if (work_count > 0)
        works[(uintptr_t)index % work_count](NS_PER_MS / 2);
    (void)pthread_barrier_wait(&arrived);
    (void)pthread_barrier_wait(&leaving);
    return NULL;
}

static pthread_t *start_threads(unsigned count)
{
    pthread_attr_t attributes;
    pthread_t *threads = calloc(count + 1, sizeof *threads);
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    (void)pthread_barrier_init(&arrived, NULL, count + 1);
    (void)pthread_barrier_init(&leaving, NULL, count + 1);
    for (unsigned i = 0; i < count; i++) {
        if (pthread_create(
                &threads[i], &attributes, stay, (void *)(uintptr_t)i) != 0)
            abort();
    }
    (void)pthread_barrier_wait(&arrived);
    return threads;
}

static void say_memory(void)
{
    char line[4096];
    unsigned long resident = 0, virtual = 0, start, end, kib;
    FILE *smaps = fopen("/proc/self/smaps", "r");
    while (smaps != NULL && fgets(line, sizeof line, smaps) != NULL) {
        if (sscanf(line, "%lx-%lx", &start, &end) == 2)
            virtual += (end - start) / 1024;
        else if (sscanf(line, "Rss: %lu", &kib) == 1)
            resident += kib;
    }
    if (smaps != NULL)
        (void)fclose(smaps);
    printf("resident %lu virtual %lu\n", resident, virtual);
}

int main(int argc, char **argv)
{
    if (argc != 3 || open_libraries(argv[1]) != 0) {
        (void)fprintf(stderr, "crowd: %s\n", dlerror());
        return 1;
    }
    for (unsigned i = 0; i < work_count; i++)
        works[i](NS_PER_MS);
    unsigned count = (unsigned)atoi(argv[2]);
    pthread_t *threads = start_threads(count);
    say_memory();
    (void)pthread_barrier_wait(&leaving);
    for (unsigned i = 0; i < count; i++)
        (void)pthread_join(threads[i], NULL);
    free(threads);
    return 0;
}
