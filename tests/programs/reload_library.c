/* One of the libraries of reload.c; built twice, RELOAD_NAME differs. */
#include "tests/programs/burn.h"

uint64_t RELOAD_NAME(uint64_t amount_ns);

uint64_t RELOAD_NAME(uint64_t amount_ns)
{
    return burn_ns(amount_ns) + 1;
}
