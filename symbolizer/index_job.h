/*
 * One index from a source to its place in the cache, in steps that whoever
 * wants it may take elsewhere: see builder.c.
 */
#ifndef SYMBOLIZER_INDEX_JOB_H
#define SYMBOLIZER_INDEX_JOB_H

#include <stdbool.h>

#include "profiler/base/status.h"
#include "symbolizer/cache.h"
#include "symbolizer/fingerprint.h"
#include "symbolizer/module.h"
#include "symbolizer/source.h"
#include "symbolizer/survey.h"

struct sym_index_job;

typedef enum status sym_index_step(
    struct sym_index_job *job, struct diag *diag);

struct sym_index_job {
    const struct sym_cache *cache;
    const char *const *debug_dirs;
    const struct sym_source *source;
    struct sym_survey_progress *progress;
    bool is_remote;         /* a server is asked for the debug file */
    sym_index_step *begin;  /* sym_index_job_begin(), or nothing */
    sym_index_step *fill;   /* sym_index_job_fill(), or a way to it */
    sym_index_step *appear; /* sym_index_job_appear(), or nothing */
    void *owner;            /* of these three */

    /* Set on the way. */
    bool lacks_debug_file; /* there is none here, and it may be told by id */
    struct sym_module *module;
    struct sym_fingerprint fingerprint;
    struct sym_cache_entry entry;
};

/*
 * All of it. An index that is there already is not made again.
 *
 *   errors   as sym_builder_make()
 */
MUST_CHECK enum status sym_index_job_run(
    struct sym_index_job *job, struct diag *diag);

/* Begin its entry. */
MUST_CHECK enum status sym_index_job_begin(
    struct sym_index_job *job, struct diag *diag);

/* Write the index into the entry that was begun. */
MUST_CHECK enum status sym_index_job_fill(
    struct sym_index_job *job, struct diag *diag);

/* Let it appear. */
MUST_CHECK enum status sym_index_job_appear(
    struct sym_index_job *job, struct diag *diag);

#endif
