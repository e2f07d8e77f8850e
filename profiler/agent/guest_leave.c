/*
 * When a handler's code may be unmapped.
 *
 * Its disposition is gone, no timer is left, so no thread comes in any more.
 * One that is inside, or about to enter, or on its way out, may have been
 * preempted there, and no count that it keeps itself could cover its first and
 * last instructions. But a handler never sleeps, and is over within
 * HANDLED_NS of CPU time; so a thread is out when it has used that much, or
 * when it sleeps in the kernel and will return to code that is not ours.
 */
#include "profiler/agent/guest.h"

#include "profiler/agent/sig_core.h"
#include "profiler/agent/sys.h"
#include "profiler/agent/tasks.h"

#include <sys/mman.h>
#include <time.h>

enum { TEXT_BYTES = 256, ROUND_NS = 1000000, THREADS_MAX = 65536 };

#define HANDLED_NS  UINT64_C(10000000)
#define PATIENCE_NS UINT64_C(3000000000)

/* Those that are not known to be out, with their CPU time at the beginning. */
struct waiting {
    uint64_t begin, end; /* of the image */
    int own_tid;
    uint32_t count;
    struct inside {
        int tid;
        uint64_t since_ns;
    } threads[THREADS_MAX];
};

/* The kernel's clock id of a thread's CPU time: CPUCLOCK_PERTHREAD_MASK | 2. */
static uint64_t thread_cpu_ns(int tid)
{
    struct timespec used = {0};
    (void)sys_call2(
        __NR_clock_gettime, (long)(int)(~(unsigned)tid << 3 | 6), &used);
    return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

/*
 * Where a thread that does not run returns to; 0: it runs. proc(5),
 * /proc/PID/syscall: "running", or words of which the last is the pc.
 */
static uint64_t sleeping_pc(int tid)
{
    char text[TEXT_BYTES];
    if (!prof_task_read(tid, "syscall", text, sizeof text) || text[0] == 'r')
        return 0;
    const char *last = text;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == ' ')
            last = at + 1;
    }
    return prof_task_hex(last);
}

/* A first thread that ended before the others stays in the list, a zombie. */
static bool is_gone(int tid)
{
    char text[TEXT_BYTES];
    if (!prof_task_read(tid, "status", text, sizeof text))
        return true;
    const char *state = prof_task_find(text, "\nState:\t");
    return state != NULL && (*state == 'Z' || *state == 'X');
}

static bool is_out(const struct waiting *waiting, int tid, uint64_t since_ns)
{
    uint64_t pc = sleeping_pc(tid);
    return (pc != 0 && pc - waiting->begin >= waiting->end - waiting->begin) ||
           thread_cpu_ns(tid) - since_ns > HANDLED_NS || is_gone(tid);
}

static void note_thread(void *owner, int tid)
{
    struct waiting *waiting = owner;
    if (tid != waiting->own_tid && waiting->count < THREADS_MAX)
        waiting->threads[waiting->count++] =
            (struct inside){.tid = tid, .since_ns = thread_cpu_ns(tid)};
}

/* Who is out once stays out. */
static void look(struct waiting *waiting)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < waiting->count; i++) {
        struct inside *thread = &waiting->threads[i];
        if (!is_out(waiting, thread->tid, thread->since_ns))
            waiting->threads[kept++] = *thread;
    }
    waiting->count = kept;
}

uint32_t prof_guest_wait_for_handlers(uint64_t begin, uint64_t end)
{
    uint64_t until_ns = prof_core_now_ns() + PATIENCE_NS;
    long base = sys_mmap(
        NULL, sizeof(struct waiting), PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (sys_is_error(base))
        return 1;
    struct waiting *waiting = (struct waiting *)base;
    waiting->begin = begin;
    waiting->end = end;
    waiting->own_tid = sys_gettid();
    uint32_t stuck = 1;
    if (prof_tasks_visit(note_thread, waiting)) {
        struct timespec pause = {.tv_nsec = ROUND_NS};
        while (look(waiting),
               waiting->count > 0 && prof_core_now_ns() < until_ns)
            (void)sys_call2(__NR_nanosleep, &pause, (void *)NULL);
        stuck = waiting->count;
    }
    (void)sys_munmap(waiting, sizeof *waiting);
    return stuck;
}
