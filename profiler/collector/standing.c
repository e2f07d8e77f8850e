/* Reads /proc/PID/status (proc(5)). */
#include "profiler/collector/standing.h"

#include "profiler/base/proc.h"

/* A look costs some 20 us: 0.02 % of a core for each process. */
enum { LOOK_NS = 100000000 };

struct prof_standing_news prof_standing_look(
    struct prof_standing *standing, uint32_t pid, uint64_t now_ns)
{
    struct prof_standing_news news = {false, false};
    struct proc_status status;
    if (now_ns < standing->next_ns)
        return news;
    standing->next_ns = now_ns + LOOK_NS;
    if (!proc_status_read(&status, pid, pid))
        return news;

    /* Before Linux 5.9 filters are not counted: then there are some or none. */
    uint32_t filters = proc_status_number(&status, "Seccomp_filters");
    if (filters == 0)
        filters = proc_status_number(&status, "Seccomp");
    bool is_traced = proc_status_number(&status, "TracerPid") != 0;
    news.has_new_filter = standing->is_known && filters > standing->filters;
    news.is_tracing_changed = is_traced != standing->is_traced;
    standing->filters = filters;
    standing->is_traced = is_traced;
    standing->is_known = true;
    return news;
}
