/* Actions between the forms of libc and of the kernel. */
#include "profiler/agent/shell_action.h"

#include <stdint.h>
#include <string.h>

#include "profiler/agent/sig_restorer.h"

void shell_action_to_kernel(
    struct prof_kernel_sigaction *to, const struct sigaction *from)
{
    to->handler = from->sa_handler;
    to->flags = (uint64_t)(uint32_t)from->sa_flags | PROF_SA_RESTORER;
    to->restorer = prof_restore_rt;
    memcpy(&to->mask, &from->sa_mask, sizeof to->mask);
}

void shell_action_from_kernel(
    struct sigaction *to, const struct prof_kernel_sigaction *from)
{
    memset(to, 0, sizeof *to);
    to->sa_handler = from->handler;
    to->sa_flags = (int)from->flags;
    to->sa_restorer = from->restorer;
    memcpy(&to->sa_mask, &from->mask, sizeof from->mask);
}
