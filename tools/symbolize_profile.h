/* Gives every native frame of a profile its functions, files and lines. */
#ifndef TOOLS_SYMBOLIZE_PROFILE_H
#define TOOLS_SYMBOLIZE_PROFILE_H

#include <stdbool.h>

#include "profiler/base/status.h"
#include "profiler/collector/kept_files.h"
#include "profiler/model/profile.h"
#include "symbolizer/symbolizer.h"

/* What else is known where a profile was just made, or who is interested. */
struct symbolize_help {
    const struct prof_kept_files *kept; /* NULL: no copies of files */

    /* Told why a module has poorer names than it might, of a few of them. NULL:
       nobody is. */
    void (*remark)(const char *text);

    /* Per frame of the profile: look this one up. NULL: all. */
    const bool *is_wanted;
};

/*
 * Look up every native frame that has no lines yet; a second call costs only
 * the frames added since.
 *
 * No frame stays empty. Where no symbol is known the one line is named
 * "[module+0xSTART]": the base name of the module's path and the ELF address
 * at which the function begins, so that all code of a function has one name,
 * stripped or not. Where not even that is known it is the address itself, or
 * the file offset when the file could not be used. Such a frame counts in
 * PROF_LOSS_NO_SYMBOL once for every sample whose stack holds it, and at least
 * once; call this after the samples are in.
 *
 *   help     NULL: none
 *   errors   NO_MEMORY. A module that cannot be opened is not an error: its
 *            frames get addresses for names
 */
MUST_CHECK enum status symbolize_profile(
    struct prof_profile *profile, struct sym_symbolizer *symbolizer,
    const struct symbolize_help *help, struct diag *diag);

#endif
