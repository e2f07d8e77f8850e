/*
 * An output file that appears whole or not at all.
 *
 * Bytes go to a temporary file in the directory of the final name: created
 * with O_EXCL under an unpredictable name, mode 0666 less the umask. A commit
 * renames it; any failure removes it and leaves the final name as it was. A
 * symbolic link is followed, so that the file it names is the one replaced.
 *
 * What cannot be replaced is written directly: "-" and "/dev/stdout" are
 * standard output, and an existing device, pipe or socket stays what it is.
 */
#ifndef EXPORTERS_OUTPUT_H
#define EXPORTERS_OUTPUT_H

#include "profiler/base/status.h"

struct exp_output;
struct exp_writer;

/* On failure `diag` names the path and the reason, and nothing was created. */
MUST_CHECK enum status exp_output_open(
    struct exp_output **output, const char *path, struct diag *diag);

/* Where the bytes go; borrowed, valid until commit or abandon. */
struct exp_writer *exp_output_writer(struct exp_output *output);

/*
 * Finish the file and give it its name. The output is gone afterwards, also
 * on failure: an earlier failure of the writer, a full disk, a lost directory.
 */
MUST_CHECK enum status exp_output_commit(
    struct exp_output *output, struct diag *diag);

/* Remove what was written; NULL is accepted. */
void exp_output_abandon(struct exp_output *output);

#endif
