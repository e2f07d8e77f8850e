/*
 * The collector as its files see it: collector_model.c keeps the list of its
 * targets; on that stand requests.c, which answers agents, guests.c, which has
 * to do with those that we have brought in, and collector_rest.c; collector.c
 * runs them all.
 */
#ifndef PROFILER_COLLECTOR_COLLECTOR_MODEL_H
#define PROFILER_COLLECTOR_COLLECTOR_MODEL_H

#include "profiler/collector/collector.h"
#include "profiler/collector/listener.h"
#include "profiler/collector/overhead.h"
#include "profiler/collector/strays.h"
#include "profiler/collector/target.h"
#include "profiler/wire/message.h"

enum { LEAVING_MAX = 256 }; /* agents waiting for outputs */

struct prof_collector {
    struct prof_target_common common;
    struct prof_listener listener;
    struct prof_target *targets;
    struct prof_strays strays;
    struct prof_crashes crashes;
    int epoll;
    int wait_ms;
    uint64_t next_child_ns; /* when one may be given a guest */
    uint32_t looked_pid;    /* whose threads are looked at first, if due */
    bool is_waited_for, is_reference_wanted;
    const char *refusal;      /* borrowed */
    int leaving[LEAVING_MAX]; /* connections to answer when all is written */
    unsigned leaving_count;
    bool is_deserted; /* the only process there was leaves nobody behind */
    struct prof_overhead overhead;
    struct prof_collector_stats stats;
};

/* Have prof_collector_fd() be readable when `fd` is. */
bool prof_collector_watch(const struct prof_collector *collector, int fd);

/* The place of the target of this pid in the list; NULL in it: none. */
struct prof_target **prof_collector_find(
    struct prof_collector *collector, uint32_t pid);

void prof_collector_add(
    struct prof_collector *collector, struct prof_target *target);

/* Take a target out of the list and end it. */
void prof_collector_remove(
    struct prof_collector *collector, struct prof_target **at);

/* What every agent is told, to be filled in. */
struct wire_reply prof_collector_reply(const struct prof_collector *collector);

/* Unless it is OK, it goes into the profile. */
void prof_collector_note(
    struct prof_collector *collector, const struct diag *diag);

/* requests.c: answer an agent; the descriptors of the request are taken. */
void prof_collector_answer(
    struct prof_collector *collector, const struct prof_request *request);

/*
 * collector_rest.c: end the rest where an agent has, but could not send a
 * message.
 */
void prof_collector_look_for_roused(struct prof_collector *collector);

/* guests.c: tend those that were brought in, and let go of who is over. */
void prof_collector_tend_guests(struct prof_collector *collector);

#endif
