/* The collector: follows a process tree and drains its rings. */
#include "profiler/collector/collector.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/collector/children.h"
#include "profiler/collector/injected.h"
#include "profiler/collector/listener.h"
#include "profiler/collector/overhead.h"
#include "profiler/collector/process_files.h"
#include "profiler/collector/strays.h"
#include "profiler/collector/target.h"

enum {
    WAIT_MAX_MS = 100,
    WAIT_MIN_MS = 2,
    EVENTS_AT_ONCE = 16,
    REQUESTS_AT_ONCE = 256, /* then rings come first */
    LEAVING_MAX = 256,      /* agents waiting for outputs */
    SETTLE_MS = 1000,
};

/* How often it is asked what threads without a timer have used. */
#define UNARMED_NS UINT64_C(1000000000)

struct prof_collector {
    struct prof_target_common common;
    struct prof_listener listener;
    struct prof_target *targets;
    struct prof_strays strays;
    struct prof_crashes crashes;
    int epoll;
    int wait_ms;
    uint32_t
        looked_pid; /* whose threads are looked at first, if they are due */
    bool is_waited_for, is_reference_wanted;
    const char *refusal;      /* borrowed */
    int leaving[LEAVING_MAX]; /* connections to answer when all is written */
    unsigned leaving_count;
    bool is_deserted; /* the only process there was leaves nobody behind */
    struct prof_overhead overhead;
    struct prof_collector_stats stats;
};

static bool watch(const struct prof_collector *collector, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(collector->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

enum status prof_collector_create(
    struct prof_collector **collector, struct prof_profile *profile,
    const struct prof_collector_options *options, struct diag *diag)
{
    struct prof_collector *made = calloc(1, sizeof *made);
    if (made == NULL)
        return fail(diag, STATUS_NO_MEMORY, "out of memory");

    uint32_t wall = PROF_NONE; /* the event that was asked for comes first */
    if (options->is_wall)
        wall = prof_profile_add_value_type(profile, "wall", "nanoseconds");
    made->common = (struct prof_target_common){
        .profile = profile,
        .is_wall = options->is_wall,
        .value_wall = wall,
        .period_ns = options->period_ns,
        .governed_ns = options->period_ns,
        .best_mode = options->best_mode,
        .spans = options->spans,
        .value_cpu = prof_profile_add_value_type(profile, "cpu", "nanoseconds"),
        .value_samples =
            prof_profile_add_value_type(profile, "samples", "count")};
    prof_strays_init(&made->strays, profile, made->common.value_cpu, wall);
    prof_build_ids_init(&made->common.build_ids);
    if (!options->is_reference_wanted && options->refusal == NULL)
        made->common.tables = prof_tables_create(profile);
    prof_looks_common_init(&made->common.looks, options->period_ns);
    prof_overhead_init(
        &made->overhead, options->max_overhead > 0 ? options->max_overhead : 1,
        options->period_ns);
    made->wait_ms = WAIT_MAX_MS;
    made->is_waited_for = options->is_waited_for;
    made->is_reference_wanted = options->is_reference_wanted;
    made->refusal = options->refusal;
    prof_listener_init(&made->listener);
    prof_crashes_init(&made->crashes, &options->crashes);

    made->epoll = epoll_create1(EPOLL_CLOEXEC);
    enum status status =
        made->epoll < 0 ? fail(diag, STATUS_SYSTEM, "epoll_create1")
        : options->session
            ? prof_listener_adopt(
                  &made->listener, options->socket, options->session, diag)
            : prof_listener_open(&made->listener, diag);
    if (status == STATUS_OK)
        status = prof_listener_watch(&made->listener, made->epoll, diag);
    int files = prof_kept_files_watch(&made->common.build_ids.kept);
    if (status == STATUS_OK && files >= 0)
        (void)watch(made, files);
    if (status != STATUS_OK) {
        prof_collector_destroy(made);
        return status;
    }
    *collector = made;
    return STATUS_OK;
}

static struct prof_target **find_target(
    struct prof_collector *collector, uint32_t pid)
{
    struct prof_target **at = &collector->targets;
    while (*at != NULL && (*at)->pid != pid)
        at = &(*at)->next;
    return at;
}

/* Take a target out of the list and end it. */
static void remove_target(
    struct prof_collector *collector, struct prof_target **at)
{
    struct prof_target *gone = *at;
    *at = gone->next;
    if (gone->injected != NULL) {
        if (!gone->is_replaced)
            prof_unarmed_finish(&gone->unarmed, gone);
        prof_target_end_now(gone);
        (void)prof_injected_close(gone->injected, &collector->stats.left);
    }
    if (gone->pidfd >= 0)
        (void)epoll_ctl(collector->epoll, EPOLL_CTL_DEL, gone->pidfd, NULL);
    prof_target_close(gone);
    collector->stats.live--;
}

void prof_collector_destroy(struct prof_collector *collector)
{
    if (collector == NULL)
        return;
    while (collector->targets != NULL)
        remove_target(collector, &collector->targets);
    prof_collector_release(collector, NULL);
    prof_listener_close(&collector->listener);
    prof_strays_fini(&collector->strays);
    prof_crashes_fini(&collector->crashes);
    prof_build_ids_fini(&collector->common.build_ids);
    prof_tables_destroy(collector->common.tables);
    prof_looks_common_fini(&collector->common.looks);
    if (collector->epoll >= 0)
        (void)close(collector->epoll);
    free(collector);
}

const char *prof_collector_session(const struct prof_collector *collector)
{
    return collector->listener.session;
}

int prof_collector_fd(const struct prof_collector *collector)
{
    return collector->epoll;
}

/* The next look, if that is sooner than `wait_ms`. */
static int looks_wait_ms(const struct prof_collector *collector, int wait_ms)
{
    uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
    for (const struct prof_target *at = collector->targets; at; at = at->next) {
        if (at->looks == NULL)
            continue;
        uint64_t due_ns = prof_looks_due_ns(at->looks);
        uint64_t left_ms =
            due_ns > now_ns ? (due_ns - now_ns + 999999) / 1000000 : 0;
        if (left_ms < (uint64_t)wait_ms)
            wait_ms = (int)left_ms;
    }
    return wait_ms > 0 ? wait_ms : 1;
}

int prof_collector_wait_ms(const struct prof_collector *collector)
{
    if (collector->targets == NULL &&
        !prof_crashes_are_pending(&collector->crashes))
        return -1;
    int wait_ms = prof_crashes_are_pending(&collector->crashes)
                      ? WAIT_MIN_MS
                      : collector->wait_ms;
    return looks_wait_ms(collector, wait_ms);
}

/* ---- requests ---- */

static struct wire_reply make_reply(const struct prof_collector *collector)
{
    return (struct wire_reply){
        .magic = WIRE_MAGIC,
        .version = WIRE_VERSION,
        .period_ns = collector->common.period_ns,
        .actions = collector->is_waited_for ? WIRE_WAIT_AT_EXIT : 0};
}

static void refuse(struct wire_reply *reply, const char *reason)
{
    reply->status = 1;
    (void)snprintf(reply->text, sizeof reply->text, "%.255s", reason);
}

static void add_target(
    struct prof_collector *collector, struct prof_target *target)
{
    target->next = collector->targets;
    collector->targets = target;
    collector->stats.processes++;
    collector->stats.live++;
    if (target->pidfd >= 0)
        (void)watch(collector, target->pidfd);
}

static void answer_hello(
    struct prof_collector *collector, const struct prof_request *hello)
{
    struct wire_reply reply = make_reply(collector);
    if (collector->refusal != NULL) {
        refuse(&reply, collector->refusal);
        collector->stats.refused++;
        prof_listener_answer(hello->connection, &reply);
        return;
    }
    struct diag diag = {
        .status = STATUS_MALFORMED, .text = "no segment came along"};
    struct prof_target **earlier = find_target(collector, hello->pid);
    prof_strays_drop(&collector->strays, hello->pid);
    /* The same pid says HELLO again: it has exec'ed, or was taken anew. */
    if (*earlier != NULL)
        (*earlier)->is_replaced = true;

    struct prof_target *target =
        hello->fd < 0 ? NULL
                      : prof_target_open(
                            &collector->common, hello->pid, hello->message.pid,
                            hello->fd, *earlier, &diag);
    if (target != NULL)
        prof_target_begin_looks(target, *earlier != NULL);
    if (*earlier != NULL)
        remove_target(collector, earlier);

    if (target == NULL) {
        refuse(&reply, diag.text);
        if (collector->stats.failure.status == STATUS_OK)
            collector->stats.failure = diag;
    } else {
        bool is_sampled = !target->standing.is_traced;
        if (target->mode != PROF_CLOCK_PERF && is_sampled)
            reply.actions |= WIRE_ARM_TIMERS;
        if (collector->is_reference_wanted)
            reply.actions |= WIRE_REFERENCE_ENGINE;
        if (target->mode == PROF_CLOCK_PERF && is_sampled)
            reply.actions |= WIRE_DISARM_FOR_EXEC | WIRE_ARM_BRIEF;
        if (collector->common.spans.take != NULL)
            reply.actions |= WIRE_TAKE_SPANS;
        if (collector->crashes.options.is_wanted) {
            reply.actions |= WIRE_CATCH_CRASHES;
            prof_oom_begin(&target->oom, target->pid);
        }
        add_target(collector, target);
    }
    prof_listener_answer_with(
        hello->connection, &reply, prof_tables_fd(collector->common.tables));
}

static void answer_exec(
    struct prof_collector *collector, const struct prof_request *request)
{
    struct prof_target *target = *find_target(collector, request->pid);
    struct wire_reply reply = make_reply(collector);
    if (request->message.type == WIRE_EXEC_FAILED) {
        prof_strays_drop(&collector->strays, request->pid);
        if (target != NULL)
            target->until_ns = 0;
    }
    if (target == NULL) {
        refuse(&reply, "not being sampled");
    } else if (request->message.type == WIRE_EXEC) {
        target->is_execing = true;
        prof_perf_clock_pause(&target->clock);
        /* The image is still there to be asked what its addresses are. */
        (void)prof_target_drain(target);
    } else {
        target->is_execing = false;
        prof_target_resume(target);
    }
    prof_listener_answer(request->connection, &reply);
}

/*
 * The last process of the tree waits until outputs are written: it is drained
 * and closed now, while it is still there.
 */
static void answer_bye(
    struct prof_collector *collector, const struct prof_request *bye)
{
    struct prof_target **at = find_target(collector, bye->pid);
    collector->is_deserted =
        collector->stats.processes == 1 && !prof_has_children(bye->pid);
    if (*at != NULL) {
        prof_crashes_note_exit(&collector->crashes, *at);
        remove_target(collector, at);
    }
    if (collector->targets == NULL && collector->leaving_count < LEAVING_MAX) {
        collector->leaving[collector->leaving_count++] = bye->connection;
        return;
    }
    struct wire_reply reply = make_reply(collector);
    prof_listener_answer(bye->connection, &reply);
}

/* Of itself anybody may tell this, of another process only its parent. */
static void answer_unseen(
    struct prof_collector *collector, const struct prof_request *request)
{
    struct wire_reply reply = make_reply(collector);
    struct prof_stray_news news;
    if (prof_strays_read(request->message.text, &news) &&
        (news.pid == 0 ||
         prof_process_files_status(news.pid, "PPid") == request->pid)) {
        uint32_t pid = news.pid != 0 ? news.pid : request->pid;
        struct prof_target *target = *find_target(collector, pid);
        uint64_t now_ns = prof_strays_add(&collector->strays, pid, &news);
        if (target != NULL)
            target->until_ns = now_ns;
    }
    prof_listener_answer(request->connection, &reply);
}

/*
 * It waits for the answer. In which segment it wrote depends on whether it has
 * one of its own.
 */
static void answer_crashed(
    struct prof_collector *collector, const struct prof_request *request)
{
    for (struct prof_target *at = collector->targets; at; at = at->next) {
        if (at->ring.ring.crashes->fatal.pid == request->message.pid)
            prof_crashes_look(&collector->crashes, at, request->pid);
    }
    struct wire_reply reply = make_reply(collector);
    prof_listener_answer(request->connection, &reply);
}

static void note_failure(
    struct prof_collector *collector, const struct prof_request *request)
{
    /* It may have said HELLO before it failed: then its clock is armed. */
    struct prof_target **armed = find_target(collector, request->pid);
    if (collector->stats.failure.status == STATUS_OK) {
        (void)fail(
            &collector->stats.failure, STATUS_UNSUPPORTED,
            "process %u could not be sampled%s: %s", request->pid,
            *armed != NULL ? " to its end" : "", request->message.text);
    }
    prof_profile_add_loss(collector->common.profile, PROF_LOSS_NOT_SAMPLED, 1);
    if (*armed != NULL)
        remove_target(collector, armed);
    struct wire_reply reply = make_reply(collector);
    prof_listener_answer(request->connection, &reply);
}

static void answer(
    struct prof_collector *collector, const struct prof_request *request)
{
    switch (request->message.type) {
    case WIRE_HELLO:
        answer_hello(collector, request);
        break;
    case WIRE_EXEC:
    case WIRE_EXEC_FAILED:
        answer_exec(collector, request);
        break;
    case WIRE_BYE:
        answer_bye(collector, request);
        break;
    case WIRE_FAILED:
        note_failure(collector, request);
        break;
    case WIRE_UNSEEN:
        answer_unseen(collector, request);
        break;
    case WIRE_CRASHED:
        answer_crashed(collector, request);
        break;
    default:
        (void)close(request->connection);
        break;
    }
    if (request->fd >= 0)
        (void)close(request->fd);
}

/* What answer_hello() is, to a guest that we have brought in ourselves. */
enum status prof_collector_inject(
    struct prof_collector *collector, uint32_t pid, const uint32_t *tids,
    uint32_t count, struct diag *diag)
{
    struct prof_injected *injected = NULL;
    uint32_t inner_pid;
    int segment;
    enum status status = prof_injected_open(
        &injected, &(struct prof_injected_whom){pid, tids, count}, &segment,
        &inner_pid, diag);
    if (status != STATUS_OK)
        return status;
    struct prof_target *target = prof_target_open(
        &collector->common, pid, inner_pid, segment, NULL, diag);
    (void)close(segment);
    if (target == NULL) {
        (void)prof_injected_close(injected, NULL);
        return STATUS_UNSUPPORTED;
    }
    struct wire_reply reply = make_reply(collector);
    target->injected = injected;
    target->guest_tid = prof_injected_tid(injected);
    prof_target_choose(target, tids, count);
    prof_target_begin_looks(target, true);
    prof_target_begin_now(target);
    add_target(collector, target);
    prof_offspring_look(
        &target->offspring, pid, clock_now_ns(CLOCK_MONOTONIC),
        &collector->strays);
    status =
        prof_injected_begin(injected, target->ring.ring.header, &reply, diag);
    uint64_t held_ns = prof_injected_held_ns(injected);
    if (held_ns > collector->stats.held_ns)
        collector->stats.held_ns = held_ns;
    if (status != STATUS_OK)
        remove_target(collector, find_target(collector, pid));
    return status;
}

/* ---- running ---- */

/* Fuller rings are drained more often. */
static void adapt_wait(struct prof_collector *collector, double fullest)
{
    if (fullest > 0.25)
        collector->wait_ms /= 2;
    else if (fullest < 0.05)
        collector->wait_ms += collector->wait_ms / 2 + 1;
    if (collector->wait_ms < WAIT_MIN_MS)
        collector->wait_ms = WAIT_MIN_MS;
    if (collector->wait_ms > WAIT_MAX_MS)
        collector->wait_ms = WAIT_MAX_MS;
}

static void bury(struct prof_collector *collector, struct prof_target **at)
{
    prof_crashes_note_death(&collector->crashes, *at);
    remove_target(collector, at);
}

/* Old kernels and filters refuse pidfd_open(2): then ask each time. */
static void bury_unwatched(struct prof_collector *collector)
{
    struct prof_target **at = &collector->targets;
    while (*at != NULL) {
        if ((*at)->pidfd < 0 && kill((pid_t)(*at)->pid, 0) != 0 &&
            errno == ESRCH)
            bury(collector, at);
        else
            at = &(*at)->next;
    }
}

/* End the targets whose process is dead. */
static void bury_dead(struct prof_collector *collector)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int count;
    do {
        int dead = 0;
        count = epoll_wait(collector->epoll, events, EVENTS_AT_ONCE, 0);
        for (int i = 0; i < count; i++) {
            struct prof_target **at = &collector->targets;
            while (*at != NULL && (*at)->pidfd != events[i].data.fd)
                at = &(*at)->next;
            if (*at != NULL) {
                bury(collector, at);
                dead++;
            }
        }
        if (dead == 0)
            return;
    } while (count == EVENTS_AT_ONCE);
}

/*
 * Look at threads that may be asleep: all targets share the time of one tick,
 * and who had none of it comes first in the next.
 */
static void look_around(struct prof_collector *collector)
{
    uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
    uint64_t end_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID) +
                      prof_looks_budget_ns(&collector->common.looks, now_ns);
    struct prof_target **first = find_target(collector, collector->looked_pid);
    struct prof_target *at = *first != NULL ? *first : collector->targets;
    for (uint32_t left = collector->stats.live; at != NULL && left > 0;
         left--) {
        if (clock_now_ns(CLOCK_THREAD_CPUTIME_ID) >= end_ns)
            break;
        if (at->looks != NULL && prof_looks_due_ns(at->looks) <= now_ns)
            prof_looks_run(at->looks, end_ns);
        at = at->next != NULL ? at->next : collector->targets;
    }
    collector->looked_pid = at != NULL ? at->pid : 0;
}

static void note_diag(struct prof_collector *collector, const struct diag *diag)
{
    if (diag->status != STATUS_OK)
        prof_profile_add_note(collector->common.profile, diag->text);
}

/* False: its part of the recording is over. */
static bool tend_guest(
    struct prof_collector *collector, struct prof_target *target,
    uint64_t now_ns)
{
    if (prof_chosen_are_over(&target->chosen, target->pid))
        return false;
    if (!prof_injected_tend(
            target->injected, target->space.generation, now_ns)) {
        target->is_replaced = true;
        return false;
    }
    if (!prof_injected_has_its_user(target->injected, now_ns)) {
        struct diag note;
        (void)fail(
            &note, STATUS_NOT_PERMITTED,
            "process %" PRIu32 " changed its user or group, so the agent left "
            "it: its thread would have kept what the process gave up",
            target->pid);
        note_diag(collector, &note);
        return false;
    }
    /* Those of chosen threads only are not told apart from the others'. */
    if (target->chosen.count == 0)
        prof_offspring_look(
            &target->offspring, target->pid, now_ns, &collector->strays);
    bool has_unarmed = atomic_load_explicit(
                           &target->ring.ring.header->guest_deferred,
                           memory_order_relaxed) > 0;
    if (target->next_unarmed_ns == 0 ||
        (has_unarmed && now_ns >= target->next_unarmed_ns)) {
        prof_unarmed_look(&target->unarmed, target);
        target->next_unarmed_ns = now_ns + UNARMED_NS;
    }
    return true;
}

static void tend_guests(struct prof_collector *collector)
{
    uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
    struct prof_target **at = &collector->targets;
    while (*at != NULL) {
        if ((*at)->injected != NULL && !tend_guest(collector, *at, now_ns))
            remove_target(collector, at);
        else
            at = &(*at)->next;
    }
}

void prof_collector_run(struct prof_collector *collector)
{
    struct prof_request request;
    prof_kept_files_run(&collector->common.build_ids.kept);
    for (int i = 0; i < REQUESTS_AT_ONCE &&
                    prof_listener_next(&collector->listener, &request);
         i++)
        answer(collector, &request);

    double fullest = 0;
    for (struct prof_target *at = collector->targets; at; at = at->next) {
        prof_crashes_look(&collector->crashes, at, 0);
        prof_target_look(at);
        prof_target_show_presence(at);
        double share = prof_target_drain(at);
        fullest = share > fullest ? share : fullest;
        prof_target_tend_clock(at);
    }
    prof_strays_look(&collector->strays);
    tend_guests(collector);
    adapt_wait(collector, fullest);
    if (prof_overhead_judge(&collector->overhead, collector->targets))
        collector->common.governed_ns = collector->overhead.governor.period_ns;
    if (collector->common.is_wall)
        look_around(collector);
    bury_dead(collector);
    bury_unwatched(collector);
    prof_crashes_tend(&collector->crashes, collector->targets);
}

/* ---- the end ---- */

static void note_lost(struct prof_collector *collector)
{
    const struct prof_lost *lost = &collector->common.lost;
    struct diag note;
    if (lost->children > 0) {
        (void)fail(
            &note, STATUS_LIMIT,
            "%" PRIu64 " process%s could not reach the collector and %s not "
            "sampled: no descriptor was left, or the collector did not answer",
            lost->children, lost->children == 1 ? "" : "es",
            lost->children == 1 ? "was" : "were");
        note_diag(collector, &note);
    }
    if (lost->timers > 0) {
        (void)fail(
            &note, STATUS_LIMIT,
            "%" PRIu64 " thread%s got no timer, and the time is [unsampled]: "
            "RLIMIT_SIGPENDING was used up",
            lost->timers, lost->timers == 1 ? "" : "s");
        note_diag(collector, &note);
    }
    if (lost->given_up > 0) {
        (void)fail(
            &note, STATUS_LIMIT,
            "%" PRIu32
            " process%s paused the sampling: the collector had not run "
            "for 5 s",
            lost->given_up, lost->given_up == 1 ? "" : "es");
        note_diag(collector, &note);
    }
}

/* What happened stays with the profile. */
static void write_notes(struct prof_collector *collector)
{
    note_diag(collector, &collector->common.refusal);
    note_diag(collector, &collector->common.traced);
    note_diag(collector, &collector->common.looks.refusal);
    note_diag(collector, &collector->stats.failure);
    note_diag(collector, &collector->stats.left);
    note_lost(collector);
}

void prof_collector_finish(struct prof_collector *collector)
{
    prof_collector_run(collector);
    /* Nobody is served from here on: who asks must be refused at once. */
    prof_listener_close(&collector->listener);
    while (collector->targets != NULL)
        remove_target(collector, &collector->targets);
    prof_strays_finish(&collector->strays);
    write_notes(collector);
}

bool prof_collector_is_deserted(const struct prof_collector *collector)
{
    return collector->is_deserted && collector->stats.processes == 1;
}

void prof_collector_close_tree(
    struct prof_collector *collector, uint64_t kernel_ns)
{
    struct prof_profile *profile = collector->common.profile;
    uint64_t known_ns = 0;
    prof_profile_origin(profile)->cpu_ns = kernel_ns;
    for (uint32_t i = 0; i < prof_profile_process_count(profile); i++)
        known_ns += prof_profile_process(profile, i)->cpu_ns;
    if (kernel_ns <= known_ns || prof_profile_thread_count(profile) == 0)
        return;

    struct prof_sample sample = {
        .time_ns = prof_profile_process(profile, 0)->end_ns, .thread = 0};
    sample.values[collector->common.value_cpu] = kernel_ns - known_ns;
    if (collector->common.is_wall)
        sample.values[collector->common.value_wall] = kernel_ns - known_ns;
    prof_account_add_rest(profile, "[unsampled]", &sample);
}

void prof_collector_release(
    struct prof_collector *collector, const char *failure)
{
    for (unsigned i = 0; i < collector->leaving_count; i++) {
        struct wire_reply reply = make_reply(collector);
        if (failure != NULL)
            refuse(&reply, failure);
        prof_listener_answer(collector->leaving[i], &reply);
    }
    collector->leaving_count = 0;
}

void prof_collector_settle(struct prof_collector *collector)
{
    const struct timespec pause = {.tv_nsec = WAIT_MIN_MS * 1000000};
    for (int left_ms = SETTLE_MS;
         left_ms > 0 && prof_crashes_are_pending(&collector->crashes);
         left_ms -= WAIT_MIN_MS) {
        prof_crashes_tend(&collector->crashes, collector->targets);
        (void)nanosleep(&pause, NULL);
    }
}

const struct prof_kept_files *prof_collector_kept_files(
    const struct prof_collector *collector)
{
    return &collector->common.build_ids.kept;
}

struct prof_collector_stats prof_collector_stats(
    const struct prof_collector *collector)
{
    struct prof_collector_stats stats = collector->stats;
    stats.samples = collector->common.sample_count;
    stats.mode = collector->common.worst_mode;
    (void)prof_overhead_tell(
        &collector->overhead, stats.governed, sizeof stats.governed);
    return stats;
}
