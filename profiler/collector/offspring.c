/* The children of a process with a guest; see the header. */
#include "profiler/collector/offspring.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/collector/children.h"

/* Each thread has a list of its own: one part in so many of a CPU for them. */
#define LOOK_NS    UINT64_C(100000000)
#define LOOK_SHARE 100

void prof_offspring_init(struct prof_offspring *offspring)
{
    *offspring =
        (struct prof_offspring){.pids = {.row_bytes = sizeof(uint32_t)}};
}

void prof_offspring_fini(struct prof_offspring *offspring)
{
    table_fini(&offspring->pids);
}

static void note_child(void *owner, uint32_t pid)
{
    (void)table_add(owner, &pid);
}

static bool has(const struct table *pids, uint32_t pid)
{
    const uint32_t *rows = pids->rows;
    for (uint32_t i = 0; i < pids->count; i++) {
        if (rows[i] == pid)
            return true;
    }
    return false;
}

static void follow(struct prof_strays *strays, uint32_t pid)
{
    char path[64], program[1024];
    (void)snprintf(path, sizeof path, "/proc/%" PRIu32 "/exe", pid);
    ssize_t bytes = readlink(path, program, sizeof program - 1);
    program[bytes > 0 ? bytes : 0] = '\0';
    struct prof_stray_news news = {
        .obstacle = OBSTACLE_CHILD, .pid = pid, .path = program};
    if (bytes > 0) /* else it has ended */
        prof_strays_follow(strays, pid, &news);
}

void prof_offspring_look(
    struct prof_offspring *offspring, uint32_t pid, uint64_t now_ns,
    struct prof_strays *strays)
{
    if (now_ns < offspring->next_ns)
        return;
    uint64_t cost_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID);
    struct table seen = {.row_bytes = sizeof(uint32_t)};
    prof_children_visit(pid, note_child, &seen);
    const uint32_t *rows = seen.rows;
    for (uint32_t i = 0; i < seen.count && offspring->is_known; i++) {
        if (!has(&offspring->pids, rows[i]))
            follow(strays, rows[i]);
    }
    table_fini(&offspring->pids);
    offspring->pids = seen;
    offspring->is_known = true;
    cost_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID) - cost_ns;
    offspring->next_ns = now_ns + LOOK_NS + cost_ns * LOOK_SHARE;
}
