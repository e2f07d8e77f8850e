/* Leaves by _exit(), past every destructor: leave STATUS. */
#include <stdlib.h>
#include <unistd.h>

#include "tests/programs/burn.h"

int main(int argc, char **argv)
{
    burn_ns(300 * NS_PER_MS);
    _exit(argc > 1 ? atoi(argv[1]) : 0);
}
