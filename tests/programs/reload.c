/* Loads two libraries in turn, at the same address, while burning in both. */
#include <dlfcn.h>
#include <stdio.h>

#include "tests/programs/burn.h"

enum { ROUNDS = 60 };

static int run(const char *path, const char *name, void **where)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    uint64_t (*work)(uint64_t) = NULL;
    if (library != NULL)
        *(void **)&work = dlsym(library, name);
    if (work == NULL)
        return -1;
    Dl_info info;
    *where = dladdr(*(void **)&work, &info) ? info.dli_fbase : NULL;
    work(15 * NS_PER_MS);
    return dlclose(library);
}

int main(void)
{
    int same = 0;
    for (int round = 0; round < ROUNDS; round++) {
        void *first = NULL;
        void *second = NULL;
        if (run(RELOAD_FIRST_PATH, "reload_first", &first) != 0 ||
            run(RELOAD_SECOND_PATH, "reload_second", &second) != 0) {
            (void)fprintf(stderr, "reload: %s\n", dlerror());
            return 1;
        }
        same += first == second;
    }
    printf("%d of %d rounds at one address\n", same, ROUNDS);
    return 0;
}
