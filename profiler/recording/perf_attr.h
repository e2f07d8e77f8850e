/*
 * The events of a recording: their attributes, ids and names.
 */
#ifndef PROFILER_RECORDING_PERF_ATTR_H
#define PROFILER_RECORDING_PERF_ATTR_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/table.h"
#include "profiler/recording/bytes.h"
#include "profiler/recording/perf_format.h"

#define PERF_EVENT_NAME_BYTES 64
#define PERF_ATTRS_MAX        4096       /* real files have a handful */
#define PERF_IDS_MAX          (1u << 22) /* one per event, cpu and thread */

struct prof_perf_attr {
    struct perf_event_attr attr; /* fields the file does not have are 0 */
    char name[PERF_EVENT_NAME_BYTES];
};

struct prof_perf_attrs {
    struct table attr; /* struct prof_perf_attr */
    struct table id;
    struct index id_index;
    bool is_own; /* written by watchfire */
};

void prof_perf_attrs_init(struct prof_perf_attrs *attrs);
void prof_perf_attrs_fini(struct prof_perf_attrs *attrs);

/*
 * Add an event: `bytes` of its perf_event_attr, old or new, and its ids.
 * False when out of memory.
 */
bool prof_perf_attrs_add(
    struct prof_perf_attrs *attrs, const void *attr, size_t bytes,
    struct prof_cursor ids);

struct prof_perf_attr *prof_perf_attrs_at(
    const struct prof_perf_attrs *attrs, uint32_t event);

/* The event of an id; the first where the id is not known, as perf has it. */
uint32_t prof_perf_attrs_find(const struct prof_perf_attrs *attrs, uint64_t id);

/* What the event is called: the file's name for it, or that of its number. */
const char *prof_perf_attr_name(const struct prof_perf_attr *attr);

/* Whether its period is time: cpu-clock and task-clock. */
bool prof_perf_attr_is_clock(const struct perf_event_attr *attr);

/* Nanoseconds of such a clock between samples; 0 unknown. */
uint64_t prof_perf_attr_period_ns(const struct perf_event_attr *attr);

/* Whether two count the same, if on cores of different kinds. */
bool prof_perf_attr_is_same(
    const struct perf_event_attr *a, const struct perf_event_attr *b);

#endif
