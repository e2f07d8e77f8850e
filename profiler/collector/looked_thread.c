/* One thread that is looked at. */
#include "profiler/collector/looked_thread.h"

#include <errno.h>

#include "profiler/attach/reach.h"
#include "profiler/collector/account_rest.h"

/* A sleep is one sample at least this often, that a recording be readable. */
#define HOLD_NS       UINT64_C(10000000000)

/*
 * A thread that has slept for T is looked at every T / REST, but no more
 * rarely than every REST_EACH for each thread there is, that is at 2 500 looks
 * a second (0.8 us each, 2 us with cold caches), and no more often than twice
 * as much. When it wakes, so much is not known for certain.
 */
#define REST          32u
#define REST_EACH_NS  UINT64_C(400000)
#define REST_LEAST_NS UINT64_C(20000000)
#define REST_MOST_NS  UINT64_C(1000000000)

/* Flags of a stack, beside PROF_SAMPLE_TRUNCATED; see prof_look. */
enum { STACK_CUT = 0x80, STACK_GUESSED = 0x40 };

static struct prof_looked_row row_of(
    const struct prof_looker *looker, const struct prof_looked_thread *thread)
{
    return looker->process.row(looker->process.owner, thread->number);
}

/* ---- samples ---- */

static void count_losses(struct prof_profile *profile, uint8_t flags)
{
    if (flags & STACK_GUESSED)
        prof_profile_add_loss(profile, PROF_LOSS_GUESSED, 1);
    if (flags & STACK_CUT)
        prof_profile_add_loss(profile, PROF_LOSS_CUT, 1);
    else if (flags & PROF_SAMPLE_TRUNCATED)
        prof_profile_add_loss(profile, PROF_LOSS_INCOMPLETE, 1);
}

static void add_sample(
    const struct prof_looker *looker, const struct prof_looked_thread *thread,
    const struct prof_off_time *time, uint64_t when_ns)
{
    const struct prof_looked_process *process = &looker->process;
    struct prof_profile *profile = process->profile;
    struct prof_sample sample = {
        .time_ns = when_ns,
        .thread = row_of(looker, thread).thread,
        .stack = time->stack,
        .state = time->state,
        .flags = time->flags & PROF_SAMPLE_TRUNCATED};
    sample.values[process->value_wall] = time->ns;
    if (time->stack == PROF_NONE) {
        const char *name =
            time->state == PROF_STATE_RUNNABLE ? "[runnable]" : "[off-cpu]";
        prof_account_add_rest(profile, name, &sample);
        return;
    }
    sample.values[process->value_samples] = 1;
    count_losses(profile, time->flags);
    (void)prof_profile_add_sample(profile, &sample);
    ++*process->sample_count;
}

static void release_wait(
    const struct prof_looker *looker, struct prof_looked_thread *thread,
    uint64_t when_ns)
{
    struct prof_off_time wait = {
        thread->waited_ns, PROF_NONE, PROF_STATE_RUNNABLE, 0};
    thread->waited_ns = 0;
    if (wait.ns > 0)
        add_sample(looker, thread, &wait, when_ns);
}

static void release(
    const struct prof_looker *looker, struct prof_looked_thread *thread)
{
    if (thread->held.ns > 0)
        add_sample(looker, thread, &thread->held, thread->held_to_ns);
    thread->held.ns = 0;
}

/* Time on one stack, one look after the other, becomes one sample. */
static void hold(
    const struct prof_looker *looker, struct prof_looked_thread *thread,
    const struct prof_off_time *time, uint64_t now_ns)
{
    struct prof_off_time *held = &thread->held;
    if (time->state == PROF_STATE_RUNNABLE) {
        thread->waited_ns += time->ns;
        if (thread->waited_ns > HOLD_NS)
            release_wait(looker, thread, now_ns);
        return;
    }
    if (held->ns > 0 &&
        (held->stack != time->stack || held->state != time->state ||
         now_ns - thread->held_from_ns > HOLD_NS))
        release(looker, thread);
    if (held->ns == 0) {
        *held = *time;
        thread->held_from_ns = now_ns;
    } else {
        held->ns += time->ns;
    }
    thread->held_to_ns = now_ns;
}

/* ---- looking ---- */

/* Which setting keeps us from looking at `pid`, and what would help. */
static void explain_refusal(uint32_t pid, struct diag *diag)
{
    int scope = prof_reach_yama_scope();
    if (scope > 0)
        (void)fail(
            diag, STATUS_NOT_PERMITTED,
            "kernel.yama.ptrace_scope=%d refuses a look at the sleeping "
            "threads of process %u: their time stands in [off-cpu]; sysctl "
            "kernel.yama.ptrace_scope=0 would permit it",
            scope, pid);
    else
        (void)fail(
            diag, STATUS_NOT_PERMITTED,
            "process %u is not dumpable (prctl PR_GET_DUMPABLE: it changed its "
            "user, or asked for it), which refuses a look at its sleeping "
            "threads: their time stands in [off-cpu]; setpriv --inh-caps "
            "+sys_ptrace --ambient-caps +sys_ptrace watchfire would permit it",
            pid);
}

static void note_refusal(struct prof_looker *looker)
{
    looker->is_refused = true;
    if (looker->common->refusal.status == STATUS_OK)
        explain_refusal(looker->process.pid, &looker->common->refusal);
}

static uint8_t flags_of(const struct prof_walk *walk)
{
    uint8_t flags = walk->end == PROF_WALK_COMPLETE ? 0 : PROF_SAMPLE_TRUNCATED;
    if (walk->end == PROF_WALK_CUT)
        flags |= STACK_CUT;
    for (uint32_t i = 0; i < walk->count; i++)
        if (walk->frames[i] & PROF_FRAME_GUESSED)
            flags |= STACK_GUESSED;
    return flags;
}

/* The stack of a thread that sleeps; PROF_NONE where it cannot be had. */
static void unwind(
    struct prof_looker *looker, const struct prof_looked_thread *thread,
    const struct prof_task_at *at, struct prof_look *look)
{
    const struct prof_looked_process *process = &looker->process;
    struct prof_walk walk = {
        .frames = looker->frames, .capacity = PROF_LOOKED_FRAMES};
    look->stack = PROF_NONE;
    look->flags = 0;
    if (process->image(process->owner) != PROF_LOOKED_PRESENT)
        return;
    if (looker->outside == NULL)
        looker->outside =
            prof_outside_create(process->pid, &looker->common->images);
    if (looker->outside == NULL)
        return;
    struct prof_regs regs = {.known = 0};
    prof_regs_set(&regs, PROF_REG_SP, at->sp);
    prof_regs_set(&regs, PROF_REG_PC, at->pc);
    struct prof_outside_place place = {
        .tid = thread->tid,
        .regs = &regs,
        .version = process->version(process->owner)};
    if (!prof_outside_walk(looker->outside, &place, &walk)) {
        if (errno == EPERM || errno == EACCES)
            note_refusal(looker);
        return;
    }
    look->stack =
        process->stack(process->owner, walk.frames, walk.count, look->time_ns);
    look->flags = flags_of(&walk);
}

/*
 * Whether it sleeps, how and where. What was read of a thread that has run
 * meanwhile is of no use.
 */
static void see(
    struct prof_looker *looker, struct prof_looked_thread *thread,
    struct prof_look *look)
{
    struct prof_task_at at;
    enum prof_task_place place = PROF_TASK_REFUSED;
    if (!looker->is_refused)
        place = prof_task_read_place(&thread->files, &at);
    if (place == PROF_TASK_GONE)
        return;
    look->state = PROF_STATE_ON_CPU;
    if (place == PROF_TASK_RUNNING)
        return;
    look->stack = PROF_NONE;
    look->state = (uint8_t)prof_task_read_state(&thread->files);
    if (look->state < PROF_STATE_OFF_CPU)
        return;
    if (place == PROF_TASK_ASLEEP)
        unwind(looker, thread, &at, look);
    else if (!looker->is_refused)
        note_refusal(looker);

    struct prof_look again = *look;
    if (!prof_task_read_usage(&thread->files, &again))
        return;
    look->is_asleep = again.runs == look->runs && again.cpu_ns == look->cpu_ns;
}

static uint64_t clamp(uint64_t value, uint64_t least, uint64_t most)
{
    value = value < most ? value : most;
    return value > least ? value : least;
}

static void set_due(
    struct prof_looked_thread *thread, struct prof_looks_common *common,
    uint64_t now_ns)
{
    uint64_t after_ns = common->tick_ns;
    if (thread->quiet_from_ns != 0) {
        uint64_t rest_ns = (now_ns - thread->quiet_from_ns) / REST;
        uint64_t most_ns = clamp(
            common->thread_count * REST_EACH_NS, REST_LEAST_NS, REST_MOST_NS);
        uint64_t crowd_ns = common->thread_count * REST_EACH_NS / 2;
        uint64_t least_ns = clamp(crowd_ns, after_ns, most_ns);
        after_ns = clamp(rest_ns, least_ns, most_ns);
    }
    /* From three quarters to five of it: no lock step with the program. */
    common->random = common->random * UINT64_C(6364136223846793005) + 1;
    uint64_t share = (common->random >> 33) % 512;
    thread->due_ns = now_ns + after_ns * 3 / 4 + after_ns * share / 1024;
}

bool prof_looked_thread_look(
    struct prof_looked_thread *thread, struct prof_looker *looker)
{
    struct prof_look look = {.stack = PROF_NONE};
    struct prof_off_time times[PROF_OFF_TIMES];
    if (!prof_task_read_usage(&thread->files, &look))
        return false;
    bool is_quiet = prof_off_cpu_is_quiet(&thread->account, &look);
    if (is_quiet) {
        const struct prof_look *last = &thread->account.last;
        look.is_asleep = true;
        look.state = last->state;
        look.stack = last->stack;
        look.flags = last->flags;
    } else {
        see(looker, thread, &look);
    }
    if (!look.is_asleep)
        thread->quiet_from_ns = 0;
    else if (!is_quiet || thread->quiet_from_ns == 0)
        thread->quiet_from_ns = look.time_ns;

    unsigned count = prof_off_cpu_add(&thread->account, &look, times);
    for (unsigned i = 0; i < count; i++)
        hold(looker, thread, &times[i], look.time_ns);
    thread->given_ns = row_of(looker, thread).given_ns;
    set_due(thread, looker->common, look.time_ns);
    /* A dead thread that is still listed: a process's first, as a rule. */
    return look.is_asleep || look.state != PROF_STATE_UNKNOWN ||
           prof_task_read_state(&thread->files) != PROF_STATE_UNKNOWN;
}

/* ---- begin and end ---- */

/*
 * When the thread began: after it was last not there, as the kernel noted in
 * ticks, and no later than what it has used allows.
 */
static uint64_t begin_of(
    struct prof_looked_thread *thread, const struct prof_look *look,
    uint64_t since_ns)
{
    uint64_t latest_ns = look->time_ns - look->cpu_ns - look->wait_ns;
    uint64_t start_ns = prof_task_read_start(&thread->files);
    if (start_ns > since_ns)
        since_ns = start_ns;
    if (start_ns != 0 && latest_ns > start_ns + PROF_TASK_START_NS)
        latest_ns = start_ns + PROF_TASK_START_NS;
    if (since_ns == 0 || since_ns >= latest_ns)
        return latest_ns;
    return since_ns + (latest_ns - since_ns) / 2;
}

bool prof_looked_thread_begin(
    struct prof_looked_thread *thread, struct prof_looker *looker, uint32_t tid,
    uint64_t since_ns, bool is_continued)
{
    const struct prof_looked_process *process = &looker->process;
    struct prof_look look = {.stack = PROF_NONE};
    *thread = (struct prof_looked_thread){.tid = tid};
    prof_task_files_init(
        &thread->files, process->pid, tid, &looker->common->limit);
    if (!prof_task_read_usage(&thread->files, &look)) {
        prof_task_files_fini(&thread->files);
        return false;
    }
    thread->number = process->number(process->owner, tid);
    if (thread->number == TABLE_NONE) {
        prof_task_files_fini(&thread->files);
        return false;
    }
    uint64_t now_ns = look.time_ns;
    if (!is_continued)
        look = (struct prof_look){
            .time_ns = begin_of(thread, &look, since_ns), .stack = PROF_NONE};
    prof_off_cpu_begin(&thread->account, &look);
    thread->given_ns = row_of(looker, thread).given_ns;
    thread->due_ns = now_ns;
    looker->common->thread_count++;
    return true;
}

/*
 * CPU time of a thread that can no more be asked: since the last look it has
 * run for as long as its samples weigh.
 */
static uint64_t cpu_at_end(
    const struct prof_looker *looker, const struct prof_looked_thread *thread,
    uint64_t end_ns)
{
    const struct prof_look *last = &thread->account.last;
    uint64_t given_ns = row_of(looker, thread).given_ns - thread->given_ns;
    uint64_t passed_ns = end_ns > last->time_ns ? end_ns - last->time_ns : 0;
    return last->cpu_ns + (given_ns < passed_ns ? given_ns : passed_ns);
}

void prof_looked_thread_end(
    struct prof_looked_thread *thread, struct prof_looker *looker,
    uint64_t end_ns, uint64_t cpu_ns)
{
    struct prof_look look = {.time_ns = 0};
    struct prof_off_time times[PROF_OFF_TIMES];
    bool is_there = prof_task_read_usage(&thread->files, &look);
    if (cpu_ns == 0)
        cpu_ns = is_there ? look.cpu_ns : cpu_at_end(looker, thread, end_ns);
    unsigned count = prof_off_cpu_end(
        &thread->account, end_ns, cpu_ns, is_there ? look.wait_ns : 0, times);
    for (unsigned i = 0; i < count; i++)
        hold(looker, thread, &times[i], end_ns);
    release(looker, thread);
    release_wait(looker, thread, end_ns);
    looker->common->thread_count--;
    prof_task_files_fini(&thread->files);
}

void prof_looker_add_unseen(
    const struct prof_looker *looker, uint64_t off_ns, uint64_t when_ns)
{
    const struct prof_looked_thread first = {.number = 0};
    struct prof_off_time time = {off_ns, PROF_NONE, PROF_STATE_OFF_CPU, 0};
    if (off_ns > 0)
        add_sample(looker, &first, &time, when_ns);
}
