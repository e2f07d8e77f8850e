/* To be debugged: a few functions called in an order that is known. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/programs/burn.h"

__attribute__((noipa)) int stop_here(int turn)
{
    int twice = turn * 2;
    burn_ns(20 * NS_PER_MS);
    return twice + 1;
}

__attribute__((noipa)) int caller(int turn)
{
    int sum = 0;
    for (int i = 0; i < 3; i++)
        sum += stop_here(turn + i);
    return sum;
}

int main(int argc, char **argv)
{
    long turns = argc > 1 ? atol(argv[1]) : 3;
    int sum = 0;
    (void)setvbuf(stdout, NULL, _IONBF, 0);
    for (int turn = 0; turn < turns; turn++) {
        sum += caller(turn);
        printf("turn %d\n", turn);
    }
    printf("sum %d\n", sum);
    return 4;
}
