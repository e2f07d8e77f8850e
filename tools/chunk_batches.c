/* Samples into the spool, by a copy of this process. */
#include "tools/chunk_batches.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exporters/sentry/chunk_spool.h"
#include "profiler/base/clock.h"
#include "tools/open_symbolizer.h"
#include "tools/symbolize_profile.h"

enum { BATCH_MAX = 1 << 18 }; /* samples; more are not waited for */

static const uint64_t retry_ns = UINT64_C(5) * 1000000000;

void chunk_batches_init(struct chunk_batches *batches)
{
    *batches = (struct chunk_batches){.writer = 0};
    exp_timeline_init(&batches->timeline);
    (void)exp_id_make(batches->chunk_id);
}

void chunk_batches_fini(struct chunk_batches *batches)
{
    exp_timeline_fini(&batches->timeline);
}

bool chunk_batches_are_in_work(const struct chunk_batches *batches)
{
    return batches->writer != 0 || batches->until > batches->spooled;
}

void chunk_batches_pass_over(
    struct chunk_batches *batches, const struct prof_profile *profile)
{
    batches->spooled = prof_profile_added_count(profile);
}

/* ---- a batch, in the copy ---- */

static enum status spool_chunk(
    void *context, const char *payload, size_t bytes, struct diag *diag)
{
    enum status status = exp_chunk_spool(context, payload, bytes, diag);
    /* What is too large for the spool was counted there. */
    return status == STATUS_LIMIT ? STATUS_OK : status;
}

/* The row of a sample that is single still, by its number. */
static uint32_t row_of(const struct prof_profile *profile, uint64_t number)
{
    uint64_t added = prof_profile_added_count(profile);
    return (uint32_t)(prof_profile_sample_count(profile) - (added - number));
}

static enum status make_chunks(
    struct reporting *reporting, struct exp_spool *spool,
    const struct prof_profile *profile, uint64_t until,
    uint64_t readings_end_ns)
{
    struct chunk_batches *batches = &reporting->batches;
    const struct exp_chunk_options options = {
        .scope = &reporting->settings.scope,
        .profiler_id = reporting->profiler_id,
        .chunk_id = batches->chunk_id,
        .readings_end_ns = readings_end_ns};
    return exp_chunks_make(
        profile, &batches->timeline, row_of(profile, batches->spooled),
        row_of(profile, until), &options, spool_chunk, spool, NULL);
}

/* Which frames the batch has; NULL when out of memory. */
static bool *mark_frames(
    const struct chunk_batches *batches, const struct prof_profile *profile)
{
    bool *is_seen =
        calloc((size_t)prof_profile_stack_count(profile) + 1, sizeof *is_seen);
    bool *is_wanted = calloc(
        (size_t)prof_profile_frame_count(profile) + 1, sizeof *is_wanted);
    uint32_t end = row_of(profile, batches->until);
    for (uint32_t id = row_of(profile, batches->spooled);
         is_seen != NULL && is_wanted != NULL && id < end; id++) {
        uint32_t at = prof_profile_sample(profile, id)->stack;
        while (at != PROF_NONE && !is_seen[at]) {
            const struct prof_stack *stack = prof_profile_stack(profile, at);
            is_seen[at] = true;
            is_wanted[stack->frame] = true;
            at = stack->parent;
        }
    }
    free(is_seen);
    return is_wanted;
}

static enum status write_batch(
    struct reporting *reporting, struct prof_profile *profile,
    const struct prof_kept_files *kept)
{
    struct exp_spool *spool = NULL;
    enum status status =
        exp_spool_open(&spool, exp_spool_path(reporting->spool), NULL, NULL);
    struct sym_symbolizer *symbolizer = open_symbolizer(NULL);
    bool *is_wanted = mark_frames(&reporting->batches, profile);
    const struct symbolize_help help = {.kept = kept, .is_wanted = is_wanted};
    if (status == STATUS_OK && (symbolizer == NULL || is_wanted == NULL))
        status = STATUS_NO_MEMORY;
    /* Without symbols the addresses still stand for themselves. */
    if (status == STATUS_OK)
        (void)!symbolize_profile(profile, symbolizer, &help, NULL);
    if (status == STATUS_OK)
        status = make_chunks(
            reporting, spool, profile, reporting->batches.until,
            reporting->batches.until_ns);
    free(is_wanted);
    exp_spool_close(spool);
    return status;
}

/* In the copy, which ends with what it is a copy of. */
_Noreturn static void write_and_end(
    struct reporting *reporting, struct prof_profile *profile,
    const struct prof_kept_files *kept, pid_t collector)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    bool is_written = getppid() == collector &&
                      write_batch(reporting, profile, kept) == STATUS_OK;
    _exit(is_written ? 0 : 1);
}

/* ---- here ---- */

static void begin_batch(
    struct reporting *reporting, struct prof_profile *profile,
    const struct prof_kept_files *kept, uint64_t now_ns)
{
    struct chunk_batches *batches = &reporting->batches;
    /* One that failed is tried again as it was. */
    if (batches->until <= batches->spooled) {
        batches->until = prof_profile_added_count(profile);
        batches->until_ns = now_ns;
    }
    batches->due_ns = now_ns + reporting->settings.chunk_ns;
    if (batches->until == batches->spooled)
        return;
    pid_t collector = getpid(), writer = fork();
    if (writer == 0)
        write_and_end(reporting, profile, kept, collector);
    if (writer > 0)
        batches->writer = writer;
    else
        batches->due_ns = now_ns + retry_ns;
}

/* The batch is in the spool. */
static void pass_batch(
    struct reporting *reporting, struct prof_profile *profile)
{
    struct chunk_batches *batches = &reporting->batches;
    struct table passed = {.row_bytes = sizeof(struct exp_stretch)};
    if (prof_profile_summed_count(profile) <= batches->spooled)
        (void)exp_timeline_lay(
            &batches->timeline, profile, row_of(profile, batches->spooled),
            row_of(profile, batches->until), &passed);
    table_fini(&passed);
    prof_profile_forget_readings(profile, batches->until_ns);
    batches->spooled = batches->until;
    (void)exp_id_make(batches->chunk_id);
    exp_sender_wake(reporting->sender);
}

static void reap(
    struct reporting *reporting, struct prof_profile *profile, int options)
{
    struct chunk_batches *batches = &reporting->batches;
    int status = 0;
    if (batches->writer == 0 || waitpid(batches->writer, &status, options) == 0)
        return;
    batches->writer = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        pass_batch(reporting, profile);
    else
        batches->due_ns = clock_now_ns(CLOCK_MONOTONIC) + retry_ns;
}

/* Samples that were summed because there were too many are lost to us. */
static void count_lost(
    struct reporting *reporting, struct prof_profile *profile)
{
    struct chunk_batches *batches = &reporting->batches;
    struct exp_discards lost = {0};
    if (prof_profile_summed_count(profile) <= batches->spooled)
        return;
    batches->spooled = prof_profile_summed_count(profile);
    lost.counts[EXP_DISCARD_QUEUE_OVERFLOW][EXP_CATEGORY_PROFILE_CHUNK] = 1;
    exp_spool_count_discards(reporting->spool, &lost);
    prof_profile_add_note(
        profile, "samples are missing in what was reported: the spool could "
                 "not be written");
}

void chunk_batches_look(
    struct reporting *reporting, struct prof_profile *profile)
{
    reap(reporting, profile, WNOHANG);
    count_lost(reporting, profile);
}

void chunk_batches_tend(
    struct reporting *reporting, struct prof_profile *profile,
    const struct prof_kept_files *kept, uint64_t now_ns)
{
    struct chunk_batches *batches = &reporting->batches;
    if (batches->due_ns == 0)
        batches->due_ns = now_ns + reporting->settings.chunk_ns;
    uint64_t waiting = prof_profile_added_count(profile) - batches->spooled;
    bool is_retry = batches->until > batches->spooled;
    if (batches->writer == 0 &&
        (now_ns >= batches->due_ns || (waiting > BATCH_MAX && !is_retry)))
        begin_batch(reporting, profile, kept, now_ns);
}

void chunk_batches_end(
    struct reporting *reporting, struct prof_profile *profile, bool has_rest)
{
    reap(reporting, profile, 0);
    count_lost(reporting, profile);
    if (has_rest)
        (void)!make_chunks(
            reporting, reporting->spool, profile,
            prof_profile_added_count(profile), 0);
}
