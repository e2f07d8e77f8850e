/* Who a process is; see the header. */
#include "profiler/attach/identity.h"

#include <stdlib.h>

#include "profiler/base/proc.h"

enum { START_TIME = 22, START_STACK = 28 }; /* fields, by proc(5) */

bool prof_identity_read(struct prof_identity *identity, uint32_t pid)
{
    struct proc_stat stat;
    if (!proc_stat_read(&stat, pid, 0))
        return false;
    identity->began_ticks =
        strtoull(proc_stat_field(&stat, START_TIME), NULL, 10);
    identity->stack = strtoull(proc_stat_field(&stat, START_STACK), NULL, 10);
    return true;
}

bool prof_identity_holds(const struct prof_identity *identity, uint32_t pid)
{
    struct prof_identity now;
    return prof_identity_read(&now, pid) &&
           now.began_ticks == identity->began_ticks &&
           now.stack == identity->stack;
}
