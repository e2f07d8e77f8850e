/* The last crash of a session. */
#include "tools/last_crash.h"

#define OUTLIVED_NS UINT64_C(5000000000) /* by a shell, with a core dump */

void last_crash_note(
    struct last_crash *last, uint32_t pid, uint64_t time_ns,
    enum exp_session_status status)
{
    *last =
        (struct last_crash){.pid = pid, .time_ns = time_ns, .status = status};
}

/* The latest of that number; NULL: none is known. */
static const struct prof_process *find_process(
    const struct prof_profile *profile, uint32_t pid)
{
    for (uint32_t i = prof_profile_process_count(profile); i-- > 0;) {
        const struct prof_process *process = prof_profile_process(profile, i);
        if (process->pid == pid)
            return process;
    }
    return NULL;
}

static bool is_ancestor(
    const struct prof_profile *profile, uint32_t pid,
    const struct prof_process *of)
{
    uint32_t left = prof_profile_process_count(profile);
    while (of != NULL && left-- > 0) {
        if (of->parent_pid == pid)
            return true;
        of = find_process(profile, of->parent_pid);
    }
    return false;
}

bool last_crash_was_the_end(
    const struct last_crash *last, const struct prof_profile *profile)
{
    uint32_t count = prof_profile_process_count(profile);
    const struct prof_process *crashed = find_process(profile, last->pid);
    if (last->pid == 0 || crashed == NULL)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        const struct prof_process *other = prof_profile_process(profile, i);
        bool is_left = other->pid != last->pid &&
                       (other->end_ns == 0 || crashed->end_ns == 0 ||
                        other->end_ns > crashed->end_ns);
        /* A shell that has become its last command is none that waits. */
        bool has_waited = is_ancestor(profile, other->pid, crashed) &&
                          other->start_ns <= crashed->start_ns &&
                          (other->end_ns == 0 || crashed->end_ns == 0 ||
                           other->end_ns - crashed->end_ns < OUTLIVED_NS);
        if (other->start_ns > last->time_ns || (is_left && !has_waited))
            return false;
    }
    return true;
}
