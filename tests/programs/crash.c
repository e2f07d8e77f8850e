/* Dies of a signal: crash NUMBER; 11 by a real fault. */
#include <signal.h>
#include <stdlib.h>

#include "tests/programs/burn.h"

/* Volatile, so that the compiler does not see where it points. */
static int *volatile nowhere = NULL;

int main(int argc, char **argv)
{
    int number = argc > 1 ? atoi(argv[1]) : SIGSEGV;
    burn_ns(200 * NS_PER_MS);
    if (number == SIGSEGV)
        *nowhere = 1;
    (void)raise(number);
    return 0;
}
