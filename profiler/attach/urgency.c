/* A thread that runs before all others for a moment; see the header. */
#include "profiler/attach/urgency.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/sched.h, which does not go together with sched.h */
#define FLAG_RESET_ON_FORK 0x01

void prof_urgency_raise(struct prof_urgency *urgency, uint32_t tid)
{
    struct prof_sched_attr urgent = {
        .size = sizeof urgent,
        .policy = SCHED_FIFO,
        .flags = FLAG_RESET_ON_FORK,
        .priority = 1};
    *urgency = (struct prof_urgency){.tid = tid};
    if (syscall(
            SYS_sched_getattr, tid, &urgency->before, sizeof urgency->before,
            0) != 0)
        return;
    /* Who has a real-time policy runs before all others already. */
    uint32_t policy = urgency->before.policy;
    if (policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE)
        urgency->is_raised = syscall(SYS_sched_setattr, tid, &urgent, 0) == 0;
}

void prof_urgency_lead(struct prof_urgency *urgency, int steps)
{
    *urgency = (struct prof_urgency){.tid = 0};
    if (syscall(
            SYS_sched_getattr, 0, &urgency->before, sizeof urgency->before,
            0) != 0 ||
        urgency->before.policy != SCHED_OTHER)
        return;
    struct prof_sched_attr ahead = urgency->before;
    ahead.flags |= FLAG_RESET_ON_FORK;
    ahead.nice -= steps;
    urgency->is_raised = syscall(SYS_sched_setattr, 0, &ahead, 0) == 0;
}

/* The shortest that the kernel grants. */
#define SLICE_NS UINT64_C(100000)

void prof_urgency_keep(void)
{
    struct prof_sched_attr brief = {
        .size = sizeof brief, .policy = SCHED_OTHER, .runtime = SLICE_NS};
    struct prof_urgency urgency;
    prof_urgency_raise(&urgency, 0);
    brief.nice = urgency.before.nice;
    if (!urgency.is_raised && urgency.before.policy == SCHED_OTHER)
        (void)syscall(SYS_sched_setattr, 0, &brief, 0);
    (void)prctl(PR_SET_TIMERSLACK, 1UL);
}

void prof_urgency_restore(struct prof_urgency *urgency)
{
    if (!urgency->is_raised)
        return;
    urgency->is_raised = false;
    if (syscall(SYS_sched_setattr, urgency->tid, &urgency->before, 0) == 0)
        return;
    /* RLIMIT_NICE let us go ahead, but not take that flag away. */
    urgency->before.flags |= FLAG_RESET_ON_FORK;
    (void)syscall(SYS_sched_setattr, urgency->tid, &urgency->before, 0);
}
