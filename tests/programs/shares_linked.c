/* The library that shares.c is linked against. */
#include "tests/programs/shares_library.h"

#include "tests/programs/burn.h"

uint64_t shares_linked(uint64_t deadline_ns)
{
    return burn_until(deadline_ns) + 1;
}
