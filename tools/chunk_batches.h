/*
 * The samples of a session on their way into the spool, a batch of them at a
 * time.
 *
 * The chunks of a batch are written by a copy of this process, as interim.h's
 * outputs are: names are looked up and the disk is waited for there, while
 * rings are drained here. Samples are kept singly until the copy says that they
 * are in the spool, and only then summed. If it fails, the same samples are
 * tried again under the same ids.
 */
#ifndef TOOLS_CHUNK_BATCHES_H
#define TOOLS_CHUNK_BATCHES_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/collector/kept_files.h"
#include "profiler/model/profile.h"
#include "tools/reporting_model.h"

void chunk_batches_init(struct chunk_batches *batches);
void chunk_batches_fini(struct chunk_batches *batches);

/* Whether a batch is in work, or is to be tried again. */
bool chunk_batches_are_in_work(const struct chunk_batches *batches);

/* Those that there are by now are not reported. */
void chunk_batches_pass_over(
    struct chunk_batches *batches, const struct prof_profile *profile);

/* Between two drains: see what has become of a batch. */
void chunk_batches_look(
    struct reporting *reporting, struct prof_profile *profile);

/* And begin one when it is time. */
void chunk_batches_tend(
    struct reporting *reporting, struct prof_profile *profile,
    const struct prof_kept_files *kept, uint64_t now_ns);

/*
 * The end: wait for what is in work, and write the rest here, as the profile is
 * symbolized by now.
 *
 *   has_rest  whether that is to be reported
 */
void chunk_batches_end(
    struct reporting *reporting, struct prof_profile *profile, bool has_rest);

#endif
