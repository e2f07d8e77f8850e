/* Who crashes; see the header. */
#include "profiler/collector/crashes.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/collector/crash_build.h"
#include "profiler/collector/death.h"
#include "profiler/collector/maps.h"
#include "profiler/collector/target.h"
#include "profiler/collector/target_drain.h"

/* A core dump of some gigabytes takes its time; what lives on after that has
 * another handler than we thought. */
#define DEATH_WAIT_NS      UINT64_C(60000000000)

/* A handler that was entered so long ago has come back. */
#define HANDLER_RETURNS_NS UINT64_C(10000000000)

struct prof_dying {
    struct prof_crash *crash;
    uint32_t pid;
    int pidfd;
    uint32_t target_pid; /* whose segment it was written into */
    uint64_t end_ns;
};

void prof_crashes_init(
    struct prof_crashes *crashes, const struct prof_crash_options *options)
{
    *crashes = (struct prof_crashes){
        .options = *options, .dying.row_bytes = sizeof(struct prof_dying)};
    prof_oom_ledger_init(&crashes->ooms);
}

static void forget(struct prof_dying *dying)
{
    prof_crash_destroy(dying->crash);
    if (dying->pidfd >= 0)
        (void)close(dying->pidfd);
}

void prof_crashes_fini(struct prof_crashes *crashes)
{
    for (uint32_t i = 0; i < crashes->dying.count; i++)
        forget(table_row(&crashes->dying, i));
    table_fini(&crashes->dying);
    prof_oom_ledger_fini(&crashes->ooms);
}

bool prof_crashes_are_pending(const struct prof_crashes *crashes)
{
    return crashes->dying.count > 0;
}

static void hand_out(struct prof_crashes *crashes, struct prof_crash *crash)
{
    if (crash != NULL && crashes->options.take != NULL)
        crashes->options.take(crashes->options.owner, crash);
    else
        prof_crash_destroy(crash);
}

static void await_death(
    struct prof_crashes *crashes, struct prof_crash *crash, uint32_t pid,
    uint32_t target_pid)
{
    struct prof_dying dying = {
        .crash = crash,
        .pid = pid,
        .pidfd = (int)syscall(SYS_pidfd_open, pid, 0),
        .target_pid = target_pid,
        .end_ns = clock_now_ns(CLOCK_MONOTONIC) + DEATH_WAIT_NS};
    if (crash != NULL && table_add(&crashes->dying, &dying) == TABLE_NONE)
        forget(&dying);
}

static struct prof_dying *find_dying(
    const struct prof_crashes *crashes, uint32_t pid)
{
    for (uint32_t i = 0; i < crashes->dying.count; i++) {
        struct prof_dying *dying = table_row(&crashes->dying, i);
        if (dying->pid == pid)
            return dying;
    }
    return NULL;
}

/* ---- what the agent writes ---- */

/*
 * A process is named by memory that the target may write: whoever is looked at
 * for it, by a collector that may be root, must have that memory itself.
 */
static bool has_segment(const struct prof_target *target, uint32_t pid)
{
    bool has = false;
    char *maps = pid != (uint32_t)getpid() ? prof_maps_read(pid) : NULL;
    char *rest = maps;
    for (char *text; !has && (text = strsep(&rest, "\n")) != NULL;) {
        struct prof_maps_line line;
        has = prof_maps_parse(text, &line) &&
              line.inode == target->ring.inode &&
              line.device == target->ring.device;
    }
    free(maps);
    return has;
}

/* Who has written; 0: nobody that may be looked at. */
static uint32_t find_writer(
    const struct prof_target *target, const struct wire_crash *slot,
    uint32_t pid)
{
    uint32_t named = *(const volatile uint32_t *)&slot->pid;
    if (named == target->inner_pid)
        return target->pid;
    /* A child that cannot say so itself; its pid is ours, or unknown. */
    if (pid == 0 && target->pid == target->inner_pid)
        pid = named;
    return pid != 0 && has_segment(target, pid) ? pid : 0;
}

void prof_crashes_look(
    struct prof_crashes *crashes, struct prof_target *target, uint32_t pid)
{
    struct wire_crash *slot = &target->ring.ring.crashes->fatal;
    uint32_t written = WIRE_CRASH_WRITTEN;
    if (!crashes->options.is_wanted ||
        /* Pairs with the release in leave_slot(). */
        atomic_load_explicit(&slot->state, memory_order_acquire) != written)
        return;
    pid = find_writer(target, slot, pid);
    /* One at a time: until the first has died, or shows that it does not. */
    if (pid == 0 || find_dying(crashes, pid) != NULL ||
        (pid == target->pid && target->is_crash_told) ||
        !atomic_compare_exchange_strong_explicit(
            &slot->state, &written, WIRE_CRASH_TAKEN, memory_order_relaxed,
            memory_order_relaxed))
        return;
    (void)prof_target_drain(target); /* which modules have come and gone */
    struct prof_crash *crash = prof_crash_build(target, slot, pid);
    /* From within its handler it exits: what we wait for may wait for us. */
    if (crash != NULL && crash->is_in_handler && pid == target->pid) {
        target->is_crash_told = true;
        hand_out(crashes, crash);
    } else {
        await_death(crashes, crash, pid, target->pid);
    }
    /* Pairs with the acquire in wait_for_collector(). */
    atomic_store_explicit(&slot->state, WIRE_CRASH_DONE, memory_order_release);
}

/* ---- deaths ---- */

/* Signals that nobody sends to end a program in good order. */
static bool is_told(int signal)
{
    return prof_signal_is_crash(signal) || signal == SIGKILL ||
           signal == SIGXCPU || signal == SIGXFSZ;
}

static void set_status(struct prof_crash *crash, int wait_status)
{
    crash->is_status_known = true;
    crash->wait_status = wait_status;
}

/*
 * A handler of the program's was started for the signal that it then died of,
 * a moment ago, and that is the one whose stack was kept: it crashed in there.
 */
static const struct wire_crash *find_handled(
    const struct prof_target *target, int signal)
{
    const struct wire_crash *slot = &target->ring.ring.crashes->handled;
    uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
    return slot->signal == signal && slot->pid == target->inner_pid &&
                   now_ns - slot->time_ns < HANDLER_RETURNS_NS
               ? slot
               : NULL;
}

static struct prof_crash *build_killed(
    struct prof_crashes *crashes, struct prof_target *target, int wait_status)
{
    int signal = WTERMSIG(wait_status);
    bool is_oom =
        signal == SIGKILL && prof_oom_has_killed(&crashes->ooms, &target->oom);
    const struct wire_crash *handled = find_handled(target, signal);
    struct prof_crash *crash = prof_crash_build_late(target, handled);
    if (crash == NULL)
        return NULL;
    set_status(crash, wait_status);
    crash->signal = signal;
    crash->is_in_handler = handled != NULL;
    if (handled == NULL)
        crash->kind = is_oom ? PROF_CRASH_OOM : PROF_CRASH_KILLED;
    return crash;
}

static struct prof_crash *build_exited(
    struct prof_target *target, int wait_status)
{
    struct prof_crash *crash = prof_crash_build_late(target, NULL);
    if (crash == NULL)
        return NULL;
    crash->kind = PROF_CRASH_EXITED;
    if (wait_status >= 0)
        set_status(crash, wait_status);
    return crash;
}

/* Nothing was taken in while it lived: what was it? */
static struct prof_crash *judge(
    struct prof_crashes *crashes, struct prof_target *target)
{
    int wait_status = 0;
    const struct wire_crash *slot = &target->ring.ring.crashes->fatal;
    bool is_known = prof_death_status(target->pid, target->pidfd, &wait_status);
    /* Pairs with the release in leave_slot(). */
    if (atomic_load_explicit(&slot->state, memory_order_acquire) ==
            WIRE_CRASH_WRITTEN &&
        slot->pid == target->inner_pid) {
        struct prof_crash *crash = prof_crash_build_late(target, slot);
        if (crash != NULL && is_known)
            set_status(crash, wait_status);
        return crash;
    }
    if (is_known && WIFSIGNALED(wait_status))
        return is_told(WTERMSIG(wait_status))
                   ? build_killed(crashes, target, wait_status)
                   : NULL;
    if (is_known)
        return crashes->options.are_exits_wanted && wait_status != 0
                   ? build_exited(target, wait_status)
                   : NULL;
    bool has_said =
        atomic_load_explicit(
            &target->ring.ring.header->exit_time_ns, memory_order_relaxed) != 0;
    struct prof_crash *crash =
        has_said ? NULL : prof_crash_build_late(target, NULL);
    if (crash != NULL)
        crash->kind = PROF_CRASH_UNKNOWN;
    return crash;
}

/* It is another program by now, or one without an agent. */
static bool has_exec(const struct prof_target *target)
{
    return target->is_replaced || target->is_execing || target->until_ns != 0;
}

/* Whether its end is known of already. */
static bool is_known(
    const struct prof_crashes *crashes, const struct prof_target *target)
{
    return target->is_crash_told || find_dying(crashes, target->pid) != NULL;
}

void prof_crashes_note_death(
    struct prof_crashes *crashes, struct prof_target *target)
{
    if (!crashes->options.is_wanted || has_exec(target) ||
        is_known(crashes, target))
        return;
    struct prof_crash *crash = judge(crashes, target);
    if (crash != NULL)
        hand_out(crashes, crash);
}

void prof_crashes_note_exit(
    struct prof_crashes *crashes, struct prof_target *target)
{
    if (crashes->options.is_wanted && crashes->options.are_exits_wanted &&
        !is_known(crashes, target))
        await_death(
            crashes, build_exited(target, -1), target->pid, target->pid);
}

/* ---- those who are about to die ---- */

/*
 * Give a slot back that somebody else's crash was written into. One that was
 * told has died since the dead were buried last, and will be among the next.
 */
static void release(
    struct prof_target *targets, const struct prof_dying *dying, bool is_told)
{
    for (struct prof_target *at = targets; at != NULL; at = at->next) {
        at->is_crash_told |= is_told && at->pid == dying->pid;
        struct wire_crash *slot = &at->ring.ring.crashes->fatal;
        uint32_t done = WIRE_CRASH_DONE;
        /* Pairs with the acquire in take_slot(). */
        if (at->pid == dying->target_pid)
            (void)atomic_compare_exchange_strong_explicit(
                &slot->state, &done, WIRE_CRASH_FREE, memory_order_release,
                memory_order_relaxed);
    }
}

/* False: it is no crash after all. */
static bool is_confirmed(struct prof_dying *dying)
{
    int wait_status;
    if (!prof_death_status(dying->pid, dying->pidfd, &wait_status))
        return dying->crash->kind != PROF_CRASH_EXITED;
    set_status(dying->crash, wait_status);
    return wait_status != 0;
}

void prof_crashes_tend(
    struct prof_crashes *crashes, struct prof_target *targets)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < crashes->dying.count; i++) {
        struct prof_dying dying =
            *(struct prof_dying *)table_row(&crashes->dying, i);
        bool is_dead = prof_death_is_there(dying.pid, dying.pidfd);
        if (!is_dead && clock_now_ns(CLOCK_MONOTONIC) < dying.end_ns) {
            *(struct prof_dying *)table_row(&crashes->dying, kept++) = dying;
            continue;
        }
        bool is_crash = is_dead && is_confirmed(&dying);
        release(targets, &dying, is_crash);
        if (is_crash) {
            hand_out(crashes, dying.crash);
            dying.crash = NULL;
        }
        forget(&dying);
    }
    crashes->dying.count = kept;
}
