/*
 * How a process stands, looked up from outside every now and then: whether it
 * is traced, and whether it has put a seccomp filter upon itself.
 */
#ifndef PROFILER_COLLECTOR_STANDING_H
#define PROFILER_COLLECTOR_STANDING_H

#include <stdbool.h>
#include <stdint.h>

struct prof_standing {
    uint64_t next_ns; /* when to look again */
    uint32_t filters; /* in force at the first look, or since told */
    bool is_known;
    bool is_traced;
};

/* What has changed since the last look; the first one finds no new filter. */
struct prof_standing_news {
    bool has_new_filter;
    bool is_tracing_changed;
};

/*
 * Look, unless the last look was a moment ago: a debugger that attaches, or a
 * filter that our library did not see coming, is noticed within that moment.
 */
struct prof_standing_news prof_standing_look(
    struct prof_standing *standing, uint32_t pid, uint64_t now_ns);

#endif
