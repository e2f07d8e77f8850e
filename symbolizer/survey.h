/*
 * Making the index of a module, by asking the module itself about every
 * address at which its answer can change.
 *
 * So the index says what the direct way says, whatever that is: it takes part
 * in no decision. What must be known here is only where to ask, and asking too
 * often is harmless.
 */
#ifndef SYMBOLIZER_SURVEY_H
#define SYMBOLIZER_SURVEY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "symbolizer/index_writer.h"
#include "symbolizer/module.h"

/* Between whoever makes an index, which may be another process, and whoever
   waits for it. */
struct sym_survey_progress {
    atomic_bool is_cancelled;
    atomic_bool is_whole; /* set by whoever wrote all of the index */
    atomic_uint done;     /* of SYM_SURVEY_WHOLE, about evenly in time */
};

#define SYM_SURVEY_WHOLE 1000u

/*
 * Read all of the module's debug information and give `writer` its answers.
 *
 *   errors   UNSUPPORTED: there is no DWARF, or the module has a problem, and
 *            a poor answer is not worth keeping; LIMIT, also when it was
 *            cancelled; NO_MEMORY
 *   cleanup  sym_index_writer_fini(), whatever came back; the writer must not
 *            outlive the module
 */
MUST_CHECK enum status sym_survey_module(
    struct sym_module *module, struct sym_index_writer *writer,
    struct sym_survey_progress *progress, struct diag *diag);

#endif
