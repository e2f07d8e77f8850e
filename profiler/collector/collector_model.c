/* The targets of a collector, and what its files have in common. */
#include "profiler/collector/collector_model.h"

#include <sys/epoll.h>

#include "profiler/collector/injected.h"
#include "profiler/collector/unarmed.h"
#include "profiler/wire/version.h"

bool prof_collector_watch(const struct prof_collector *collector, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(collector->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

struct prof_target **prof_collector_find(
    struct prof_collector *collector, uint32_t pid)
{
    struct prof_target **at = &collector->targets;
    while (*at != NULL && (*at)->pid != pid)
        at = &(*at)->next;
    return at;
}

void prof_collector_add(
    struct prof_collector *collector, struct prof_target *target)
{
    target->next = collector->targets;
    collector->targets = target;
    collector->stats.processes++;
    collector->stats.live++;
    if (target->pidfd >= 0)
        (void)prof_collector_watch(collector, target->pidfd);
}

void prof_collector_remove(
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

struct wire_reply prof_collector_reply(const struct prof_collector *collector)
{
    return (struct wire_reply){
        .magic = WIRE_MAGIC,
        .version = WIRE_VERSION,
        .period_ns = collector->common.period_ns,
        .actions = collector->is_waited_for ? WIRE_WAIT_AT_EXIT : 0};
}

void prof_collector_note(
    struct prof_collector *collector, const struct diag *diag)
{
    if (diag->status != STATUS_OK)
        prof_profile_add_note(collector->common.profile, diag->text);
}
