/*
 * Display frames: how a process, a thread and a frame of the model are named
 * and classed for a reader, the same way in every exporter.
 *
 * Names are interned, and clean: valid UTF-8 without control characters (what
 * broke either rule is U+FFFD, a line break or tab a space). Escaping for a
 * format is left to the exporter. A process is called by its program, and by
 * `program-pid` where the profile holds more than one process.
 */
#ifndef EXPORTERS_FRAMES_H
#define EXPORTERS_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/model/profile.h"

enum exp_kind {
    EXP_KIND_APPLICATION, /* the program and the modules it brought along */
    EXP_KIND_LIBRARY,     /* a module of the system's folders; the vDSO */
    EXP_KIND_KERNEL,
    EXP_KIND_RUNTIME, /* named by a runtime, or read from folded text */
    EXP_KIND_UNKNOWN, /* an address without a symbol */
    EXP_KIND_ACCOUNT, /* CPU time no sample covers: [startup], [exit], ... */
    EXP_KIND_PROCESS,
    EXP_KIND_THREAD,
    EXP_KIND_COUNT
};

/* One word for a person: "application", "library". */
const char *exp_kind_text(enum exp_kind kind);

struct exp_frame {
    uint32_t name; /* of exp_frames_text() */
    enum exp_kind kind;
    bool is_inlined; /* into its caller */
    uint32_t module; /* row of the profile, or PROF_NONE */
    uint32_t file;   /* string of the profile; 0 unknown */
    uint32_t line;   /* 0 unknown */
};

/*
 * Whether a process has a frame of its own. One without a name, a path and a
 * pid has none: who read the profile did not know, as with folded text, whose
 * stacks begin with a process already if they name one.
 */
bool exp_process_is_shown(const struct prof_profile *profile, uint32_t process);

/*
 * Whether a module is the process's own: its executable, wherever it lies, or
 * an object outside of the system's folders for libraries. Compilers and
 * interpreters lie in those themselves.
 */
bool exp_module_is_own(
    const struct prof_profile *profile, uint32_t process, uint32_t module);

/* Whether a sample stands for CPU time that no sample covers. */
bool exp_sample_is_account(
    const struct prof_profile *profile, const struct prof_sample *sample);

struct exp_frames;

/* Borrows the profile; NULL when out of memory. */
struct exp_frames *exp_frames_create(const struct prof_profile *profile);
void exp_frames_destroy(struct exp_frames *frames);

/* The text of a name; valid until the next frame is made. */
const char *exp_frames_text(const struct exp_frames *frames, uint32_t name);
uint32_t exp_frames_name_count(const struct exp_frames *frames);

/* The frames below fill `out`, and return false when out of memory. */

/* A frame that stands for no row of the profile: "all". */
bool exp_frames_named(
    struct exp_frames *frames, enum exp_kind kind, const char *name,
    struct exp_frame *out);

bool exp_frames_process(
    struct exp_frames *frames, uint32_t process, struct exp_frame *out);

/* "name-tid", or the tid alone where the thread has no name. */
bool exp_frames_thread(
    struct exp_frames *frames, uint32_t thread, struct exp_frame *out);

/*
 * Line `index` (innermost is 0, below prof_profile_frame_depth()) of a frame
 * as seen in `process`: the process's own executable is application wherever
 * it lies.
 */
bool exp_frames_line(
    struct exp_frames *frames, uint32_t process, uint32_t frame, uint32_t index,
    struct exp_frame *out);

#endif
