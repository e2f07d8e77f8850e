/* The children of a process with a guest; see the header. */
#include "profiler/collector/offspring.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/collector/children.h"
#include "profiler/collector/cpu_time.h"

/* Each thread has a list of its own: one part in so many of a CPU for them. */
#define LOOK_NS    UINT64_C(100000000)
#define LOOK_SHARE 100

/* Twice as long after each try. */
#define RETRY_NS   UINT64_C(500000000)

enum { TRIES_MAX = 6 };

struct prof_offspring_child {
    uint32_t pid;
    uint32_t round; /* of the look that saw it last */
    uint32_t tries; /* that have failed */
    bool has_guest;
    bool is_busy;     /* it has used the CPU since the look before */
    uint64_t used_ns; /* of it, at the last look */
    uint64_t then_ns; /* the same, when it was last tried, or first seen */
    uint64_t due_ns;  /* for a try */
};

void prof_offspring_init(struct prof_offspring *offspring, bool is_new)
{
    *offspring = (struct prof_offspring){
        .children = {.row_bytes = sizeof(struct prof_offspring_child)},
        .is_known = is_new};
}

void prof_offspring_fini(struct prof_offspring *offspring)
{
    table_fini(&offspring->children);
}

static struct prof_offspring_child *find(
    const struct prof_offspring *offspring, uint32_t pid)
{
    for (uint32_t i = 0; i < offspring->children.count; i++) {
        struct prof_offspring_child *child = table_row(&offspring->children, i);
        if (child->pid == pid)
            return child;
    }
    return NULL;
}

static void follow(struct prof_strays *strays, uint32_t pid, bool is_new)
{
    char path[64], program[1024];
    (void)snprintf(path, sizeof path, "/proc/%" PRIu32 "/exe", pid);
    ssize_t bytes = readlink(path, program, sizeof program - 1);
    program[bytes > 0 ? bytes : 0] = '\0';
    struct prof_stray_news news = {
        .obstacle = OBSTACLE_CHILD, .pid = pid, .path = program};
    if (bytes <= 0)
        return; /* it has ended */
    if (is_new)
        prof_strays_follow(strays, pid, &news);
    else
        (void)prof_strays_add(strays, pid, &news);
}

struct look {
    struct prof_offspring *offspring;
    struct prof_strays *strays;
    uint64_t now_ns;
};

static void see_child(void *owner, uint32_t pid)
{
    const struct look *look = owner;
    struct prof_offspring *offspring = look->offspring;
    struct prof_offspring_child *known = find(offspring, pid);
    uint64_t used_ns = prof_process_cpu_ns(pid);
    if (known != NULL) {
        known->round = offspring->round;
        known->is_busy = used_ns > known->used_ns;
        known->used_ns = used_ns;
        return;
    }
    bool is_new = offspring->is_known;
    struct prof_offspring_child child = {
        .pid = pid,
        .round = offspring->round,
        .used_ns = used_ns,
        .then_ns = is_new ? 0 : used_ns,
        .due_ns = is_new ? look->now_ns + LOOK_NS : look->now_ns};
    if (table_add(&offspring->children, &child) != TABLE_NONE)
        follow(look->strays, pid, is_new);
}

/*
 * A thread that ends leaves its children to another one, whose list may have
 * been read already: who is not seen by one look is there still, and by two is
 * not.
 */
static void forget_gone(struct prof_offspring *offspring)
{
    struct table *children = &offspring->children;
    for (uint32_t i = children->count; i-- > 0;) {
        struct prof_offspring_child *child = table_row(children, i);
        if (child->round == offspring->round)
            continue;
        child->is_busy = false;
        if (offspring->round - child->round > 1)
            *child = *(struct prof_offspring_child *)table_row(
                children, --children->count);
    }
}

void prof_offspring_look(
    struct prof_offspring *offspring, uint32_t pid, uint64_t now_ns,
    struct prof_strays *strays)
{
    if (now_ns < offspring->next_ns)
        return;
    uint64_t cost_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID);
    struct look look = {offspring, strays, now_ns};
    offspring->round++;
    prof_children_visit(pid, see_child, &look);
    forget_gone(offspring);
    offspring->is_known = true;
    cost_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID) - cost_ns;
    offspring->next_ns = now_ns + LOOK_NS + cost_ns * LOOK_SHARE;
}

static bool is_due(const struct prof_offspring_child *child, uint64_t now_ns)
{
    return child->is_busy && !child->has_guest && child->tries < TRIES_MAX &&
           now_ns >= child->due_ns;
}

/*
 * Whoever has used most since: tries that fail cost time, in which the others
 * are not sampled, and a server has processes that do little, and never wait
 * without a limit, beside those that serve.
 */
uint32_t prof_offspring_due(
    const struct prof_offspring *offspring, uint64_t now_ns)
{
    uint64_t most_ns = 0;
    uint32_t pid = 0;
    for (uint32_t i = 0; i < offspring->children.count; i++) {
        const struct prof_offspring_child *child =
            table_row(&offspring->children, i);
        if (!is_due(child, now_ns) ||
            child->used_ns - child->then_ns <= most_ns)
            continue;
        most_ns = child->used_ns - child->then_ns;
        pid = child->pid;
    }
    return pid;
}

void prof_offspring_note(
    struct prof_offspring *offspring, uint32_t pid, bool has_guest,
    uint64_t now_ns)
{
    struct prof_offspring_child *child = find(offspring, pid);
    if (child == NULL)
        return;
    child->has_guest = has_guest;
    child->then_ns = child->used_ns;
    child->due_ns = now_ns + (RETRY_NS << child->tries);
    child->tries = has_guest ? 0 : child->tries + 1;
}

void prof_offspring_lose(
    struct prof_offspring *offspring, uint32_t pid, uint64_t now_ns,
    struct prof_strays *strays)
{
    struct prof_offspring_child *child = find(offspring, pid);
    if (child == NULL || !child->has_guest)
        return;
    child->has_guest = false;
    child->due_ns = now_ns + LOOK_NS;
    follow(strays, pid, false);
}
