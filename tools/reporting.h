/*
 * What a session reports to a Sentry backend while it goes on: its samples as
 * chunks, and that it began and ended.
 *
 * The former are written by chunk_batches.h; what the spool holds is sent by a
 * thread (exporters/sentry/sender.h).
 */
#ifndef TOOLS_REPORTING_H
#define TOOLS_REPORTING_H

#include <stdbool.h>
#include <stdint.h>

#include "exporters/sentry/session.h"
#include "profiler/collector/kept_files.h"
#include "profiler/model/profile.h"
#include "tools/reporting_model.h"

/*
 * Read the environment, and whether this process is drawn.
 *
 *   reporting  out: its settings' DSN is off when nothing is to be reported
 */
MUST_CHECK enum status reporting_read(
    struct reporting *reporting, struct diag *diag);

bool reporting_is_on(const struct reporting *reporting);

/*
 * When samples are wanted, for the reports alone; asked once these have begun.
 *
 *   is_wall  of the event asked for, which knows no rest; no more when nothing
 *            is wanted at all
 */
enum prof_wish reporting_wish(struct reporting *reporting, bool *is_wall);

/* Open the spool and begin to send what it holds; diag is a remark if OK. */
MUST_CHECK enum status reporting_begin(
    struct reporting *reporting, struct diag *diag);

/* Between two drains: write a chunk when it is time. */
void reporting_tend(
    struct reporting *reporting, struct prof_profile *profile,
    const struct prof_kept_files *kept);

/* Samples from this number on must stay single. */
uint64_t reporting_needs_from(const struct reporting *reporting);

/* The release, if it is not named yet: the build-id of the main binary. */
void reporting_name_release(
    struct reporting *reporting, const struct prof_profile *profile);

/*
 * To an envelope that tells of a crash: the session has crashed. Nothing, and
 * false, when its end was told already. Whoever calls this spools the envelope
 * and wakes the sender.
 */
bool reporting_add_crash(
    struct reporting *reporting, struct exp_envelope *envelope);

/* The last samples, symbolized, and how the session ended, into the spool. */
void reporting_end(
    struct reporting *reporting, struct prof_profile *profile,
    enum exp_session_status status);

/*
 * Wait for what is sent yet, but not long, and let go of everything.
 *
 *   problem  out, may be NULL: OK, or why something stays in the spool
 */
void reporting_finish(struct reporting *reporting, struct diag *problem);

#endif
