/* The agent's core: how it comes and goes. */
#include "profiler/agent/core.h"

#include "profiler/agent/auxv.h"
#include "profiler/agent/link.h"
#include "profiler/agent/segment.h"
#include "profiler/agent/sig_handler.h"
#include "profiler/agent/sig_pass.h"
#include "profiler/agent/sig_presence.h"
#include "profiler/agent/sig_rest.h"
#include "profiler/agent/signals.h"
#include "profiler/agent/sys.h"
#include "profiler/agent/tables.h"
#include "profiler/agent/tasks.h"
#include "profiler/agent/timers.h"
#include "profiler/agent/vdso.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>

enum {
    SCRATCH_BYTES = PROF_SCRATCH_COUNT * sizeof(struct prof_scratch),

    /* A program must start even when its collector hangs. */
    HELLO_TIMEOUT_MS = 2000,
    EXEC_TIMEOUT_MS = 500,
    EXIT_TIMEOUT_MS = 2000,
};

static uint64_t read_clock_ns(int clock)
{
    struct timespec used = {0};
    (void)sys_call2(__NR_clock_gettime, (long)clock, &used);
    return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

uint64_t prof_core_thread_cpu_ns(void)
{
    return read_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static long raw_clock_gettime(int clock, void *timespec)
{
    return sys_call2(__NR_clock_gettime, (long)clock, timespec);
}

/* ---- memory ---- */

static bool make_scratch(void)
{
    if (prof_core.scratch != NULL)
        return true;
    long base = sys_mmap(
        NULL, SCRATCH_BYTES, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (sys_is_error(base))
        return false;
    prof_core.scratch = (void *)base;
    return true;
}

void prof_core_unmap(void)
{
    prof_segment_release();
    if (prof_core.scratch != NULL)
        (void)sys_munmap(prof_core.scratch, SCRATCH_BYTES);
    prof_core.scratch = NULL;
}

/* ---- threads ---- */

static void arm_thread(void *unused, int tid)
{
    (void)unused;
    (void)prof_timer_arm(tid, PROF_TIMER_STANDING);
}

/* Threads that were there before us: other constructors may start some. */
static void arm_existing_threads(void)
{
    if (!prof_tasks_visit_own(arm_thread, NULL))
        arm_thread(NULL, sys_gettid());
}

/* ---- coming and going ---- */

/* Tell the collector why this process cannot be sampled. */
static void report_failure(const char *session, const char *reason)
{
    struct wire_reply reply;
    prof_core.is_heard =
        session != NULL &&
        prof_link_ask(
            session, WIRE_FAILED, -1, reason, HELLO_TIMEOUT_MS, &reply);
}

static bool say_hello(int fd, struct wire_reply *reply)
{
    int tables = -1;
    prof_core.is_heard =
        prof_core.config.say_hello != NULL
            ? prof_core.config.say_hello(fd, reply)
            : prof_link_hello(
                  prof_core.config.session, fd, HELLO_TIMEOUT_MS, reply,
                  &tables, &prof_core.collector);
    prof_tables_map(tables);
    prof_core.is_deserted = !prof_core.is_heard && prof_link_is_possible();
    return prof_core.is_heard && reply->status == 0 && reply->period_ns > 0;
}

static void copy_text(char *to, uint32_t bytes, const char *from)
{
    uint32_t i = 0;
    for (; i + 1 < bytes && from[i] != '\0'; i++)
        to[i] = from[i];
    if (bytes > 0)
        to[i] = '\0';
}

/* The collector is told why when there is none. */
static bool choose_engine(void)
{
    const struct prof_core_config *config = &prof_core.config;
    char lack[128];
    prof_memory_lacks("the unwinder", lack, sizeof lack);
    const char *reason = lack;
    prof_core.engine = prof_core.actions & WIRE_REFERENCE_ENGINE
                           ? config->load_reference(&reason)
                           : config->engine;
    if (prof_core.engine == NULL)
        report_failure(config->session, reason);
    return prof_core.engine != NULL;
}

void prof_core_set_places(const struct prof_crash_places *places)
{
    struct wire_crashes *crashes = prof_core.ring.crashes;
    prof_core.config.places = *places;
    if (crashes == NULL)
        return;
    crashes->abort_message_pc = places->abort_message_pc;
    crashes->exceptions_offset = places->exceptions_offset;
}

bool prof_core_start(
    const struct prof_core_config *config, char *text, uint32_t text_bytes)
{
    copy_text(text, text_bytes, "");
    prof_core.config = *config;
    prof_core.pid = (uint32_t)sys_getpid();
    prof_core.clock_gettime = (long (*)(int, void *))prof_vdso_clock_gettime(
        (const void *)(uintptr_t)prof_auxv(AT_SYSINFO_EHDR));
    if (prof_core.clock_gettime == NULL)
        prof_core.clock_gettime = raw_clock_gettime;

    char reason[128];
    prof_memory_lacks("samples", reason, sizeof reason);
    int fd = make_scratch() ? prof_segment_make(reason, sizeof reason) : -1;
    if (fd < 0) {
        report_failure(config->session, reason);
        copy_text(text, text_bytes, reason);
        return false;
    }

    prof_core_set_places(&config->places);
    /* The handler first: the collector arms the clock before it answers. */
    prof_signals_install(prof_handle_signal);
    struct wire_reply reply = {.status = 0};
    bool is_welcome = say_hello(fd, &reply);
    (void)sys_close(fd);
    if (!is_welcome) {
        prof_segment_release();
        reply.text[sizeof reply.text - 1] = '\0';
        copy_text(text, text_bytes, reply.text);
        return false;
    }
    prof_presence_begin();
    prof_timer_rest_begin();
    prof_core.period_ns = reply.period_ns;
    prof_core.actions = reply.actions;
    if (prof_core.actions & WIRE_CATCH_CRASHES)
        prof_signals_catch_crashes();
    if (!choose_engine()) {
        prof_segment_release();
        return false;
    }
    /* Pairs with the acquire in prof_handle_signal(): all of the above. */
    atomic_store_explicit(&prof_core.is_active, 1, memory_order_release);
    if (prof_core.actions & WIRE_ARM_TIMERS)
        arm_existing_threads();
    return true;
}

static void count_lost_child(struct wire_header *parents)
{
    (void)atomic_fetch_add_explicit(
        &parents->lost_children, 1, memory_order_relaxed);
}

void prof_core_restart_in_child(void)
{
    prof_signal_forget_held(); /* as the kernel does: fork(2) */
    if (!atomic_load_explicit(&prof_core.is_active, memory_order_relaxed))
        return;
    /* Of the ring only the header is here, and no timer is armed. */
    struct wire_header *parents = prof_core.ring.header;
    atomic_store_explicit(&prof_core.is_active, 0, memory_order_relaxed);
    for (int i = 0; i < PROF_SCRATCH_COUNT; i++)
        atomic_store_explicit(
            &prof_core.scratch[i].is_taken, 0, memory_order_relaxed);
    bool is_silent = prof_core_is_silent();
    bool is_gone = prof_presence_is_gone(parents);
    prof_core.ring = (struct wire_ring){0};
    if (is_silent) {
        /* A child inherits the filter. */
        prof_core_fall_silent(prof_core.is_getpid_safe);
        count_lost_child(parents);
        return;
    }
    struct prof_core_config config = prof_core.config;
    prof_core.is_heard = false;
    prof_core.is_deserted = is_gone;
    if (!is_gone)
        (void)prof_core_start(&config, NULL, 0);
    if (prof_core.is_deserted)
        prof_presence_note_silence(parents);
    if (!prof_core.is_heard)
        count_lost_child(parents);
    (void)sys_munmap(parents, WIRE_SLOTS_OFFSET);
}

bool prof_core_is_asked(void)
{
    const struct wire_header *header = prof_core.ring.header;
    return atomic_load_explicit(&prof_core.is_active, memory_order_relaxed) &&
           header != NULL && !prof_core_is_silent() &&
           !atomic_load_explicit(&header->is_stopped, memory_order_relaxed) &&
           !prof_presence_is_gone(header);
}

bool prof_core_tell_unseen(const char *text)
{
    struct wire_reply reply;
    return prof_core_is_asked() && prof_link_ask(
                                       prof_core.config.session, WIRE_UNSEEN,
                                       -1, text, EXEC_TIMEOUT_MS, &reply);
}

bool prof_core_loses_child(void)
{
    struct wire_header *header = prof_core.ring.header;
    if (header == NULL)
        return prof_core.is_deserted;
    if (atomic_load_explicit(&header->is_stopped, memory_order_relaxed) ||
        !prof_presence_is_gone(header))
        return false;
    count_lost_child(header);
    return true;
}

/*
 * By the memory that is shared, where a system call would be the end, no
 * descriptor is left, or the socket is in another network name space. The
 * collector looks ten times a second or more; nobody can sleep meanwhile.
 * False when it did not come by in time.
 */
static bool wait_for_pause(void)
{
    struct wire_header *header = prof_core.ring.header;
    uint64_t end_ns = prof_core_now_ns() + EXEC_TIMEOUT_MS * UINT64_C(1000000);
    atomic_store_explicit(&header->pause_wanted, 1, memory_order_relaxed);
    /* Pairs with the release in answer_pause(). */
    while (atomic_load_explicit(&header->is_paused, memory_order_acquire) ==
               0 &&
           prof_core_now_ns() < end_ns)
        __builtin_ia32_pause();
    return atomic_load_explicit(&header->is_paused, memory_order_relaxed) != 0;
}

static bool pause_silently(void)
{
    if (!atomic_load_explicit(&prof_core.is_active, memory_order_relaxed) ||
        !prof_core.is_getpid_safe || (uint32_t)sys_getpid() != prof_core.pid ||
        (prof_core.actions & WIRE_DISARM_FOR_EXEC) == 0)
        return false;
    (void)wait_for_pause();
    return true;
}

bool prof_core_before_exec(bool is_masked)
{
    if (prof_core_is_silent())
        return pause_silently();
    if (!prof_core_is_ours() ||
        (!is_masked && (prof_core.actions & WIRE_DISARM_FOR_EXEC) == 0) ||
        prof_presence_is_gone(prof_core.ring.header))
        return false;
    struct wire_reply reply;
    bool is_answered = prof_link_ask(
        prof_core.config.session, WIRE_EXEC, -1, NULL, EXEC_TIMEOUT_MS, &reply);
    /* The new program will not reach it either. */
    if (!is_answered && wait_for_pause())
        count_lost_child(prof_core.ring.header);
    /* Also without an answer in time: it may be carried out later. */
    return true;
}

void prof_core_after_failed_exec(void)
{
    if (prof_core.ring.header == NULL)
        return;
    atomic_store_explicit(
        &prof_core.ring.header->pause_wanted, 0, memory_order_relaxed);
    if (prof_core_is_silent())
        return;
    struct wire_reply reply;
    (void)prof_link_ask(
        prof_core.config.session, WIRE_EXEC_FAILED, -1, NULL, EXEC_TIMEOUT_MS,
        &reply);
}

void prof_core_note_exit(void)
{
    if (!prof_core_is_ours())
        return;
    struct wire_header *header = prof_core.ring.header;
    atomic_store_explicit(
        &header->exit_time_ns, prof_core_now_ns(), memory_order_relaxed);
    atomic_store_explicit(
        &header->exit_cpu_ns, read_clock_ns(CLOCK_PROCESS_CPUTIME_ID),
        memory_order_relaxed);
}

bool prof_core_wait_for_outputs(char *text, uint32_t text_bytes)
{
    if (!prof_core_is_ours() || (prof_core.actions & WIRE_WAIT_AT_EXIT) == 0 ||
        prof_presence_is_gone(prof_core.ring.header))
        return true;
    bool is_forever = prof_core.pid == 1;
    struct wire_reply reply;
    if (!prof_link_ask(
            prof_core.config.session, WIRE_BYE, -1, NULL,
            is_forever ? -1 : EXIT_TIMEOUT_MS, &reply))
        return true;
    reply.text[sizeof reply.text - 1] = '\0';
    copy_text(text, text_bytes, reply.text);
    return reply.status == 0;
}

void prof_core_note_thread_end(uint64_t before_ns, uint64_t begin_ns)
{
    if (!prof_core_is_ours())
        return;
    uint32_t tid = (uint32_t)sys_gettid();
    struct prof_claim claim =
        prof_ring_claim(&prof_core.ring, sizeof(struct wire_ended), tid);
    if (claim.bytes == NULL)
        return;
    struct wire_ended *ended = claim.bytes;
    ended->record = (struct wire_record){
        .type = WIRE_ENDED, .tid = tid, .time_ns = prof_core_now_ns()};
    ended->before_ns = before_ns;
    ended->begin_ns = begin_ns;
    ended->cpu_ns = prof_core_thread_cpu_ns();
    prof_ring_commit(&prof_core.ring, &claim);
}

void prof_core_publish(const struct wire_module *module)
{
    if (!prof_core_is_ours())
        return;
    uint32_t path_bytes = 0;
    while (path_bytes < WIRE_PATH_BYTES - 1 && module->path[path_bytes])
        path_bytes++;
    uint32_t bytes =
        (uint32_t)offsetof(struct wire_module, path) + path_bytes + 1;

    struct prof_claim claim =
        prof_ring_claim(&prof_core.ring, bytes, (uint32_t)sys_gettid());
    if (claim.bytes == NULL)
        return;
    for (uint32_t i = 0; i < bytes; i++)
        ((volatile char *)claim.bytes)[i] = ((const char *)module)[i];
    struct wire_record *record = claim.bytes;
    record->tid = (uint32_t)sys_gettid();
    record->time_ns = prof_core_now_ns();
    prof_ring_commit(&prof_core.ring, &claim);
}
