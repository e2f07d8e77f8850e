/* libc's own functions behind the interposed ones. */
#include "profiler/agent/shell.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>

shell_dlsym_function *shell_real_dlsym(void)
{
    static shell_dlsym_function *real;
    if (real == NULL) {
        void *found = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.34");
        if (found == NULL)
            found = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.2.5");
        real = (shell_dlsym_function *)found;
    }
    return real;
}

static struct shell_real real;

const struct shell_real *shell_real(void)
{
    /* Another library's constructor may come before ours. */
    if (real.syscall != NULL) /* the last of the list */
        return &real;
    int saved_errno = errno;
    shell_dlsym_function *find = shell_real_dlsym();
#define FIND_REAL(name)                                                        \
    real.name = (__typeof__(real.name))find(RTLD_NEXT, #name);
    SHELL_REAL_LIST(FIND_REAL)
#undef FIND_REAL
    errno = saved_errno;
    return &real;
}
