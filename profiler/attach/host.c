/* The thread that is borrowed; see the header. */
#include "profiler/attach/host.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "profiler/attach/held_call.h"
#include "profiler/attach/untimed.h"
#include "profiler/base/clock.h"
#include "profiler/base/proc.h"

/* For each of the better choices. */
#define CHOOSY_NS     UINT64_C(20000000)

/*
 * Between looks: a moment that is to be met is often brief. They go before all
 * others, so when all choices were tried in vain, and others want to run, there
 * are fewer: else a request to a server took a third more CPU time meanwhile.
 */
#define ROUND_NS      200000
#define LATE_ROUND_NS 1000000

enum { TEXT_BYTES = 512 };

struct search {
    uint32_t pid;
    const struct prof_identity *identity; /* whose number that was */
    bool is_gone;
    uint64_t patience_ns;
    int error; /* of ptrace(2), when that was refused */
    struct prof_remote *remote;
};

/* Whom to borrow: the next as well when a while has brought no better. */
enum choice {
    FIRST_CHOICE,  /* it waits without a limit */
    SECOND_CHOICE, /* it waits, and is late by as long as it is held */
    LAST_CHOICE,   /* it runs: a transfer may be cut in two */
};

/* Whether it sleeps in a call that goes on rightly when it was held. */
static bool sleeps_well(uint32_t pid, uint32_t tid, enum choice choice)
{
    char text[TEXT_BYTES];
    struct prof_held_call call;
    uint64_t *words = call.arguments;
    if (!proc_read(pid, tid, "syscall", text, sizeof text) ||
        sscanf(
            text,
            "%" SCNd64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64
            " %" SCNx64 " %" SCNx64,
            &call.number, &words[0], &words[1], &words[2], &words[3], &words[4],
            &words[5]) != 7)
        return false;
    return prof_call_is_untimed(pid, &call) ||
           (choice != FIRST_CHOICE && prof_call_may_be_held(&call, false));
}

/* By somebody who came after the process was judged, as another of us. */
static bool is_traced(uint32_t pid, uint32_t tid)
{
    struct proc_status status;
    return proc_status_read(&status, pid, tid) &&
           proc_status_number(&status, "TracerPid") != 0;
}

/* Borrowed, when it is true. */
static bool try_thread(struct search *search, uint32_t tid, enum choice choice)
{
    char state = proc_task_state(search->pid, tid);
    bool is_running = state == 'R';
    if (is_running ? choice != LAST_CHOICE
                   : state != 'S' || !sleeps_well(search->pid, tid, choice))
        return false;
    search->is_gone = !prof_identity_holds(search->identity, search->pid);
    if (search->is_gone)
        return false;
    enum prof_remote_begin begun =
        prof_remote_begin(search->remote, tid, is_running);
    int error = errno;
    if (begun == PROF_REMOTE_REFUSED && !is_traced(search->pid, tid))
        search->error = error;
    return begun == PROF_REMOTE_BEGUN;
}

static bool try_threads(struct search *search, enum choice choice)
{
    struct proc_tasks tasks;
    uint32_t tid;
    bool is_done = false;
    if (!proc_tasks_open(&tasks, search->pid))
        return false;
    while (!is_done && !search->is_gone && proc_tasks_next(&tasks, &tid))
        is_done = try_thread(search, tid, choice);
    proc_tasks_close(&tasks);
    return is_done;
}

/* More than there are processors for; proc(5), /proc/loadavg. */
static bool are_others_waiting(void)
{
    long running = 0;
    FILE *file = fopen("/proc/loadavg", "re");
    if (file == NULL)
        return false;
    if (fscanf(file, "%*s %*s %*s %ld", &running) != 1)
        running = 0;
    (void)fclose(file);
    return running > sysconf(_SC_NPROCESSORS_ONLN);
}

static enum status find_none(const struct search *search, struct diag *diag)
{
    char state = proc_task_state(search->pid, search->pid);
    if (search->is_gone || state == '?' || (state == 'Z' && search->error == 0))
        return fail(
            diag, STATUS_GONE, "process %" PRIu32 " has ended", search->pid);
    if (search->error != 0)
        return fail(
            diag, STATUS_NOT_PERMITTED,
            "no thread of process %" PRIu32 " can be held: ptrace: %s",
            search->pid, strerror(search->error));
    return fail(
        diag, STATUS_LIMIT,
        "no thread of process %" PRIu32 " came to a safe point within %.1g s: "
        "'watchfire record --via perf -p %" PRIu32 "' needs none",
        search->pid, (double)search->patience_ns / 1e9, search->pid);
}

enum status prof_host_borrow(
    uint32_t pid, const struct prof_identity *identity, uint64_t patience_ns,
    struct prof_remote *remote, struct diag *diag)
{
    struct search search = {
        .pid = pid,
        .identity = identity,
        .patience_ns = patience_ns,
        .remote = remote};
    uint64_t since_ns = clock_now_ns(CLOCK_MONOTONIC), passed_ns = 0;
    while (!try_threads(
        &search, passed_ns > 2 * CHOOSY_NS ? LAST_CHOICE
                 : passed_ns > CHOOSY_NS   ? SECOND_CHOICE
                                           : FIRST_CHOICE)) {
        passed_ns = clock_now_ns(CLOCK_MONOTONIC) - since_ns;
        if (search.error != 0 || search.is_gone || passed_ns > patience_ns)
            return find_none(&search, diag);
        bool is_late = passed_ns > 3 * CHOOSY_NS && are_others_waiting();
        const struct timespec pause = {
            .tv_nsec = is_late ? LATE_ROUND_NS : ROUND_NS};
        (void)nanosleep(&pause, NULL);
    }
    return STATUS_OK;
}
