/* The library that shares.c opens and closes as it runs. */
#include "tests/programs/shares_library.h"

#include "tests/programs/burn.h"

uint64_t shares_loaded(uint64_t deadline_ns)
{
    return burn_until(deadline_ns) + 1;
}
