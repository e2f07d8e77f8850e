/*
 * Closes a library that another one, preloaded with us, had opened before any
 * agent was there, and opens it again. Tells how often its file is mapped, and
 * whether it came back to where it was.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/programs/early.h"

static void *base_of(void *library)
{
    Dl_info info;
    void *function = dlsym(library, "early_0");
    return function != NULL && dladdr(function, &info) ? info.dli_fbase : NULL;
}

static int count_mappings(void)
{
    char line[4096];
    int count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL)
        count += strstr(line, EARLY_PATH) != NULL;
    if (maps != NULL)
        (void)fclose(maps);
    return count;
}

int main(void)
{
    void **opened = dlsym(RTLD_DEFAULT, "early_opened");
    int *is_first = dlsym(RTLD_DEFAULT, "early_is_first");
    if (opened == NULL || is_first == NULL || *opened == NULL)
        return 2;
    void *before = base_of(*opened);
    int mapped_before = count_mappings();
    if (dlclose(*opened) != 0 || count_mappings() != 0)
        return 1;
    void *again = dlopen(EARLY_PATH, RTLD_NOW);
    void *after = again != NULL ? base_of(again) : NULL;
    printf(
        "{\"is_first\": %d, \"is_same\": %d, \"before\": %d, \"after\": %d}\n",
        *is_first, after == before, mapped_before, count_mappings());
    return again == NULL || dlclose(again) != 0;
}
