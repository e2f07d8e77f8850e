/* A library of tests/programs/crashes.cc, which crashes as it is loaded. */
#include <stdlib.h>
#include <string.h>

static int *volatile nowhere = NULL;

__attribute__((noinline)) static void at_fault(void)
{
    *nowhere = 1;
}

__attribute__((constructor)) static void begin(void)
{
    const char *way = getenv("CRASHES_LIBRARY");
    if (way != NULL && strcmp(way, "constructor") == 0)
        at_fault();
}

void crashes_library_work(void)
{
    *nowhere = 2;
}
