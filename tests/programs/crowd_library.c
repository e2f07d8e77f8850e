/* One of the many libraries of crowd.c, which are copies of it. */
#include "tests/programs/burn.h"

uint64_t crowd_work(uint64_t amount_ns);

uint64_t crowd_work(uint64_t amount_ns)
{
    return burn_ns(amount_ns) + 1;
}
