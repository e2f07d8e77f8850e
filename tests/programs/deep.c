/*
 * Does a fixed amount of work at the end of a deep stack: deep ROUNDS DEPTH,
 * some 10 us a round. Prints the nanoseconds of CPU time it took, which is
 * what being watched makes longer.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/programs/burn.h"

__attribute__((noipa)) static uint64_t descend(int depth, long rounds)
{
    uint64_t seed = (uint64_t)depth;
    if (depth == 0) {
        while (rounds-- > 0)
            seed = stir(seed);
        return seed;
    }
    seed = descend(depth - 1, rounds);
    /* What must happen after the call keeps it from becoming a loop. */
    __asm__ volatile("" : "+r"(seed));
    return seed;
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 100000;
    (void)descend(argc > 2 ? atoi(argv[2]) : 200, rounds);
    printf("%" PRIu64 "\n", clock_ns(CLOCK_PROCESS_CPUTIME_ID));
    return 0;
}
