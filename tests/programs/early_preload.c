/* To be preloaded: opens a library before an agent is there. */
#include <dlfcn.h>
#include <signal.h>
#include <stddef.h>

#include "tests/programs/early.h"

void *early_opened;
int early_is_first;

__attribute__((constructor)) static void open_early(void)
{
    struct sigaction action;
    early_is_first =
        sigaction(SIGTRAP, NULL, &action) == 0 && action.sa_handler == SIG_DFL;
    early_opened = dlopen(EARLY_PATH, RTLD_NOW);
}
