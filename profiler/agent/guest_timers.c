/* The timers of threads that were there before us; see the header. */
#include "profiler/agent/guest_timers.h"

#include "profiler/agent/core.h"
#include "profiler/agent/sys.h"
#include "profiler/agent/tasks.h"
#include "profiler/agent/timers.h"

#include <sys/mman.h>
#include <time.h>

enum { STATUS_BYTES = 2048 };

struct entry {
    int tid, timer;
    uint32_t round; /* of the look that saw it last */
};

struct prof_guest_timers {
    uint32_t round, count, deferred;
    uint32_t known;      /* entries that were there before this look */
    uint32_t next_guess; /* the kernel lists threads in the same order */
    uint32_t others;     /* threads that live, when it was asked */
    const uint32_t *chosen;
    uint32_t chosen_count;
    int own_tid;
    uint64_t filters; /* of our own thread */
    struct entry entries[PROF_GUEST_TIMERS_MAX];
};

/* How many there are; before Linux 5.9, whether there are some. */
static uint64_t read_filters(const char *status)
{
    const char *count = prof_task_find(status, "\nSeccomp_filters:\t");
    if (count == NULL)
        count = prof_task_find(status, "\nSeccomp:\t");
    return count != NULL ? prof_task_hex(count) : 0;
}

struct prof_guest_timers *prof_guest_timers_make(
    const uint32_t *chosen, uint32_t count)
{
    long base = sys_mmap(
        NULL, sizeof(struct prof_guest_timers), PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (sys_is_error(base))
        return NULL;
    struct prof_guest_timers *timers = (struct prof_guest_timers *)base;
    timers->own_tid = sys_gettid();
    timers->chosen = chosen;
    timers->chosen_count = count;
    char text[STATUS_BYTES];
    if (prof_task_read(timers->own_tid, "status", text, sizeof text))
        timers->filters = read_filters(text);
    return timers;
}

static struct entry *find(struct prof_guest_timers *timers, int tid)
{
    for (uint32_t i = 0; i < timers->known; i++) {
        uint32_t index = (timers->next_guess + i) % timers->known;
        if (timers->entries[index].tid == tid) {
            timers->next_guess = index + 1;
            return &timers->entries[index];
        }
    }
    return NULL;
}

/*
 * Not one that blocks the signal, and none with other seccomp filters than
 * ours, which are those that have been judged: they may not let it return from
 * the handler.
 */
static bool may_be_armed(const struct prof_guest_timers *timers, int tid)
{
    char text[STATUS_BYTES];
    if (!prof_task_read(tid, "status", text, sizeof text))
        return false; /* it is gone */
    const char *blocked = prof_task_find(text, "\nSigBlk:\t");
    return blocked != NULL &&
           !(prof_task_hex(blocked) >> (prof_core.config.tick_signal - 1) &
             1) &&
           read_filters(text) == timers->filters;
}

/*
 * The timer of a thread that has ended never expires again, and says so: it is
 * how a thread is told from one that had its number before.
 */
static bool is_alive(const struct entry *entry)
{
    struct itimerspec left = {.it_value = {0}};
    return sys_call2(__NR_timer_gettime, (long)entry->timer, &left) == 0 &&
           (left.it_value.tv_sec != 0 || left.it_value.tv_nsec != 0);
}

static void disarm(const struct entry *entry)
{
    (void)sys_call1(__NR_timer_delete, (long)entry->timer);
}

static int arm(struct prof_guest_timers *timers, int tid)
{
    if (!may_be_armed(timers, tid)) {
        timers->deferred++;
        return -1;
    }
    return prof_timer_arm(tid, PROF_TIMER_STANDING);
}

static bool is_chosen(const struct prof_guest_timers *timers, int tid)
{
    bool is_found = timers->chosen_count == 0;
    for (uint32_t i = 0; i < timers->chosen_count && !is_found; i++)
        is_found = timers->chosen[i] == (uint32_t)tid;
    return is_found;
}

static void see_thread(void *owner, int tid)
{
    struct prof_guest_timers *timers = owner;
    struct entry *known = find(timers, tid);
    if (known != NULL && is_alive(known)) {
        known->round = timers->round;
        return;
    }
    if (tid == timers->own_tid || !is_chosen(timers, tid) ||
        timers->count == PROF_GUEST_TIMERS_MAX)
        return;
    int timer = arm(timers, tid);
    if (timer >= 0)
        timers->entries[timers->count++] =
            (struct entry){.tid = tid, .timer = timer, .round = timers->round};
}

static void forget_gone(struct prof_guest_timers *timers)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < timers->count; i++) {
        if (timers->entries[i].round == timers->round)
            timers->entries[kept++] = timers->entries[i];
        else
            disarm(&timers->entries[i]);
    }
    timers->count = kept;
}

uint32_t prof_guest_timers_look(struct prof_guest_timers *timers)
{
    timers->round++;
    timers->deferred = 0;
    timers->known = timers->count;
    timers->next_guess = 0;
    if (prof_tasks_visit(see_thread, timers))
        forget_gone(timers);
    return timers->deferred;
}

/* The first thread stays in the list, a zombie, until the last ends. */
static void count_other(void *owner, int tid)
{
    struct prof_guest_timers *timers = owner;
    char text[STATUS_BYTES];
    if (tid == timers->own_tid ||
        !prof_task_read(tid, "status", text, sizeof text))
        return;
    const char *state = prof_task_find(text, "\nState:\t");
    timers->others += state == NULL || (*state != 'Z' && *state != 'X');
}

bool prof_guest_timers_is_alone(struct prof_guest_timers *timers)
{
    if (timers->deferred > 0 || timers->count > 1)
        return false;
    timers->others = 0;
    return prof_tasks_visit(count_other, timers) && timers->others == 0;
}

void prof_guest_timers_end(struct prof_guest_timers *timers)
{
    if (timers == NULL)
        return;
    for (uint32_t i = 0; i < timers->count; i++)
        disarm(&timers->entries[i]);
    (void)sys_munmap(timers, sizeof *timers);
}
