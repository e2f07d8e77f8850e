/* Burns with RLIMIT_SIGPENDING at 0: no signal can be queued for it. */
#include <stdio.h>
#include <sys/resource.h>

#include "tests/programs/burn.h"

int main(void)
{
    struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_SIGPENDING, &none) != 0)
        return 1;
    burn_ns(400 * NS_PER_MS);
    printf("alive\n");
    return 0;
}
