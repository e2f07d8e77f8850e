/* What a tap knows, for the files that are the tap: nobody else looks inside.
 */
#ifndef PROFILER_TAP_TAP_MODEL_H
#define PROFILER_TAP_TAP_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/tap/events.h"
#include "profiler/tap/lead.h"
#include "profiler/tap/named.h"
#include "profiler/tap/pace.h"
#include "profiler/tap/process.h"
#include "profiler/tap/tap.h"

struct prof_tap {
    struct prof_tap_common common;
    struct prof_tap_options options;
    struct prof_tap_events events;
    struct prof_tap_process *processes; /* the latest first */
    struct prof_tap_named named;
    struct prof_tap_lead lead;
    struct prof_tap_pace pace;
    uint64_t clocks_ns; /* when they were last read */
    uint32_t process_count;
    uint32_t unwatched; /* see struct prof_tap_stats */
    struct diag shortage;
    uint64_t unseen_ns;
    bool has_begun;  /* samples may be taken */
    bool is_listing; /* who is new must be known */
    bool has_lost;   /* records; what was mapped may be among them */
};

/* Where its list has, or would have, the process. */
struct prof_tap_process **prof_tap_find_process(
    struct prof_tap *tap, uint32_t pid);

/* Watch a process from now on; NULL is none. */
void prof_tap_add_process(struct prof_tap *tap, struct prof_tap_process *added);

/*
 * Take what the kernel wrote before `limit_ns`, in order over all processors.
 *
 *   returns  how many records there were
 */
uint64_t prof_tap_take_records(struct prof_tap *tap, uint64_t limit_ns);

/* Find out what the records told that were lost: what is mapped, and who was
 * made. */
void prof_tap_catch_up(struct prof_tap *tap);

#endif
