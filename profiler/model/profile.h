/*
 * The profile model: where readers (rings, perf.data, folded text) and
 * exporters meet.
 *
 * A profile is a set of append-only tables. Ids are dense indexes into them,
 * from 0; PROF_NONE is the absent one. Strings, modules, frames and stacks are
 * interned: the same value has the same id.
 *
 *   process -< thread -< sample >- stack (a leaf node) -> parent -> ... -> root
 *      |                                |
 *      `-< mapping >- module <--------- frame -< line (innermost first)
 *
 * A native frame is a place in a module, not in a process, so that thousands
 * of processes of one program share frames, stacks and symbols. Runtime
 * addresses are recovered through the process's mappings.
 *
 * Failure is sticky: an add that runs out of memory returns PROF_NONE, later
 * adds do nothing, and prof_profile_status() tells at the end. Adding to
 * PROF_NONE gives PROF_NONE.
 *
 * Not signal-safe, one thread at a time. Pointers returned by the accessors
 * are borrowed and valid until the next add of the same kind.
 */
#ifndef PROFILER_MODEL_PROFILE_H
#define PROFILER_MODEL_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/model/rows.h"

struct prof_profile;

/* An empty profile, NULL when out of memory; the caller owns it. */
struct prof_profile *prof_profile_create(void);
void prof_profile_destroy(struct prof_profile *profile);

/* OK, or the first failure of any add. */
enum status prof_profile_status(const struct prof_profile *profile);

/* Strings: interned, without NULs. "" is always id 0. */
uint32_t prof_profile_string(struct prof_profile *profile, const char *text);
uint32_t prof_profile_string_n(
    struct prof_profile *profile, const char *text, size_t bytes);
const char *prof_profile_text(const struct prof_profile *profile, uint32_t id);

/* Declare the values every sample carries, before the first sample. */
uint32_t prof_profile_add_value_type(
    struct prof_profile *profile, const char *name, const char *unit);

uint32_t prof_profile_add_module(
    struct prof_profile *profile, const struct prof_module *module);
uint32_t prof_profile_add_mapping(
    struct prof_profile *profile, const struct prof_mapping *mapping);
uint32_t prof_profile_add_process(
    struct prof_profile *profile, const struct prof_process *process);
uint32_t prof_profile_add_thread(
    struct prof_profile *profile, const struct prof_thread *thread);

/* Intern a frame: (module, offset), or (kind, name). Lines are not compared. */
uint32_t prof_profile_add_native_frame(
    struct prof_profile *profile, uint32_t module, uint64_t offset);
uint32_t prof_profile_add_named_frame(
    struct prof_profile *profile, enum prof_frame_kind kind, const char *name);

/* Intern the stack `frame` called from `parent` (PROF_NONE: it is the root). */
uint32_t prof_profile_add_stack(
    struct prof_profile *profile, uint32_t parent, uint32_t frame);

uint32_t prof_profile_add_sample(
    struct prof_profile *profile, const struct prof_sample *sample);

/*
 * Sum the samples there are: those with the same stack, state and flags become
 * one row, whose time is that of the first, for each thread, or, unless
 * `threads_apart`, for each process, under one of its threads. Memory is then
 * bounded by what differs, not by time. Ids of samples are not kept.
 */
void prof_profile_sum_samples(struct prof_profile *profile, bool threads_apart);

/* The same of those before number `before`, by prof_profile_added_count(). */
void prof_profile_sum_samples_before(
    struct prof_profile *profile, uint64_t before, bool threads_apart);

/*
 * Forget the samples before `before_ns`, as far as they were added in the order
 * of their times: what a view of the last seconds has no use for. Ids of
 * samples are not kept.
 */
void prof_profile_forget_samples(
    struct prof_profile *profile, uint64_t before_ns);

/*
 * Samples by the order they were added in, for who writes them as they come:
 * how many there were, how many of them were summed and are gone, and number
 * `number`, which is neither.
 */
uint64_t prof_profile_added_count(const struct prof_profile *profile);
uint64_t prof_profile_summed_count(const struct prof_profile *profile);
const struct prof_sample *prof_profile_added_sample(
    const struct prof_profile *profile, uint64_t number);

/* What symbolizing found for a frame, innermost first; copied. */
void prof_profile_set_lines(
    struct prof_profile *profile, uint32_t frame, const struct prof_line *lines,
    size_t count);

void prof_profile_add_loss(
    struct prof_profile *profile, enum prof_loss reason, uint64_t count);
uint64_t prof_profile_loss(
    const struct prof_profile *profile, enum prof_loss reason);
const char *prof_loss_text(enum prof_loss reason);

uint32_t prof_profile_add_reading(
    struct prof_profile *profile, const struct prof_reading *reading);

/* Forget the readings before `before_ns`. Ids are not kept. */
void prof_profile_forget_readings(
    struct prof_profile *profile, uint64_t before_ns);

/* The same sentence is noted once. */
void prof_profile_add_note(struct prof_profile *profile, const char *sentence);

/* Words for a person; whether the thread was on no CPU for certain. */
const char *prof_state_text(enum prof_state state);
bool prof_state_is_off_cpu(enum prof_state state);

/* Facts that become known later; the pointer is valid until the next add. */
struct prof_origin *prof_profile_origin(struct prof_profile *profile);
struct prof_process *prof_profile_edit_process(
    struct prof_profile *profile, uint32_t id);
struct prof_thread *prof_profile_edit_thread(
    struct prof_profile *profile, uint32_t id);
struct prof_mapping *prof_profile_edit_mapping(
    struct prof_profile *profile, uint32_t id);

/* Reading: the number of rows of each table and one row of it. */
#define PROF_TABLE_LIST(X)                                                     \
    X(value_type, struct prof_value_type)                                      \
    X(module, struct prof_module)                                              \
    X(mapping, struct prof_mapping)                                            \
    X(process, struct prof_process)                                            \
    X(thread, struct prof_thread)                                              \
    X(frame, struct prof_frame)                                                \
    X(line, struct prof_line)                                                  \
    X(stack, struct prof_stack)                                                \
    X(note, struct prof_note)                                                  \
    X(reading, struct prof_reading)

#define PROF_TABLE_COUNT(name, type)                                           \
    uint32_t prof_profile_##name##_count(const struct prof_profile *profile);
PROF_TABLE_LIST(PROF_TABLE_COUNT)
#undef PROF_TABLE_COUNT
uint32_t prof_profile_string_count(const struct prof_profile *profile);
uint32_t prof_profile_sample_count(const struct prof_profile *profile);

const struct prof_value_type *prof_profile_value_type(
    const struct prof_profile *profile, uint32_t id);
const struct prof_module *prof_profile_module(
    const struct prof_profile *profile, uint32_t id);
const struct prof_mapping *prof_profile_mapping(
    const struct prof_profile *profile, uint32_t id);
const struct prof_process *prof_profile_process(
    const struct prof_profile *profile, uint32_t id);
const struct prof_thread *prof_profile_thread(
    const struct prof_profile *profile, uint32_t id);
const struct prof_frame *prof_profile_frame(
    const struct prof_profile *profile, uint32_t id);
const struct prof_line *prof_profile_line(
    const struct prof_profile *profile, uint32_t id);
const struct prof_stack *prof_profile_stack(
    const struct prof_profile *profile, uint32_t id);
const struct prof_sample *prof_profile_sample(
    const struct prof_profile *profile, uint32_t id);
const struct prof_note *prof_profile_note(
    const struct prof_profile *profile, uint32_t id);
const struct prof_reading *prof_profile_reading(
    const struct prof_profile *profile, uint32_t id);
const struct prof_origin *prof_profile_read_origin(
    const struct prof_profile *profile);

/*
 * The name a person sees for line `index` of a frame: the function, the
 * account's or runtime's name, or "[module+0xoffset]" where no symbol is
 * known. `buffer` holds the text when it has to be made.
 */
const char *prof_profile_frame_label(
    const struct prof_profile *profile, uint32_t frame, uint32_t index,
    char *buffer, size_t buffer_bytes);

/* Source-level frames of a frame: its lines, or 1 without them. */
uint32_t prof_profile_frame_depth(
    const struct prof_profile *profile, uint32_t frame);

#endif
