/* Running out of memory. */
#include "tests/allocations.h"

#include <stdatomic.h>
#include <stddef.h>

static atomic_ulong count, fail_at; /* 0: never */

void allocations_fail(unsigned long nth)
{
    count = 0;
    fail_at = nth;
}

bool allocations_restore(void)
{
    unsigned long nth = fail_at;
    fail_at = 0;
    return nth != 0 && count >= nth;
}

static bool is_refused(void)
{
    return atomic_fetch_add(&count, 1) + 1 == fail_at;
}

/* The names are the linker's. */
void *__real_malloc(size_t bytes);
void *__real_calloc(size_t rows, size_t bytes);
void *__real_realloc(void *block, size_t bytes);
char *__real_strdup(const char *text);
char *__real_realpath(const char *path, char *resolved);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t rows, size_t bytes);
void *__wrap_realloc(void *block, size_t bytes);
char *__wrap_strdup(const char *text);
char *__wrap_realpath(const char *path, char *resolved);

void *__wrap_malloc(size_t bytes)
{
    return is_refused() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t rows, size_t bytes)
{
    return is_refused() ? NULL : __real_calloc(rows, bytes);
}

void *__wrap_realloc(void *block, size_t bytes)
{
    return is_refused() ? NULL : __real_realloc(block, bytes);
}

char *__wrap_strdup(const char *text)
{
    return is_refused() ? NULL : __real_strdup(text);
}

char *__wrap_realpath(const char *path, char *resolved)
{
    return is_refused() ? NULL : __real_realpath(path, resolved);
}
