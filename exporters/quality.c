/* How far a profile can be trusted. */
#include "exporters/quality.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "exporters/frames.h"
#include "exporters/text.h"
#include "exporters/writer.h"

/* Reasons that cost a whole sample; the others cost a part of one. */
static bool is_lost_sample(enum prof_loss reason)
{
    return reason == PROF_LOSS_RING_FULL || reason == PROF_LOSS_CONTENDED ||
           reason == PROF_LOSS_BUSY || reason == PROF_LOSS_WRITER_DIED ||
           reason == PROF_LOSS_MALFORMED;
}

/* The column of nanoseconds with that name, or PROF_NONE. */
static uint32_t time_column(
    const struct prof_profile *profile, const char *name)
{
    for (uint32_t id = 0; id < prof_profile_value_type_count(profile); id++) {
        const struct prof_value_type *type =
            prof_profile_value_type(profile, id);
        if (strcmp(prof_profile_text(profile, type->name), name) == 0 &&
            strcmp(prof_profile_text(profile, type->unit), "nanoseconds") == 0)
            return id;
    }
    return PROF_NONE;
}

static void count_samples(
    struct exp_quality *quality, const struct prof_profile *profile)
{
    uint32_t cpu = time_column(profile, "cpu");
    uint32_t wall = time_column(profile, "wall");
    quality->has_cpu = cpu != PROF_NONE;
    for (uint32_t id = 0; id < prof_profile_sample_count(profile); id++) {
        const struct prof_sample *sample = prof_profile_sample(profile, id);
        uint64_t ns = quality->has_cpu ? sample->values[cpu] : 0;
        quality->sampled_ns = exp_text_add(quality->sampled_ns, ns);
        if (wall != PROF_NONE)
            quality->wall_ns =
                exp_text_add(quality->wall_ns, sample->values[wall]);
        if (exp_sample_is_account(profile, sample)) {
            quality->account_ns = exp_text_add(quality->account_ns, ns);
            continue;
        }
        quality->samples += sample->count;
        if (sample->flags & PROF_SAMPLE_TRUNCATED)
            quality->incomplete_samples += sample->count;
    }
}

struct exp_quality exp_quality_of(const struct prof_profile *profile)
{
    const struct prof_origin *origin = prof_profile_read_origin(profile);
    struct exp_quality quality = {.kernel_ns = origin->cpu_ns};
    if (origin->end_ns > origin->start_ns)
        quality.duration_ns = origin->end_ns - origin->start_ns;
    count_samples(&quality, profile);

    for (int reason = 0; reason < PROF_LOSS_COUNT; reason++)
        quality.loss[reason] = prof_profile_loss(profile, reason);
    for (int reason = 0; reason < PROF_LOSS_COUNT; reason++) {
        if (is_lost_sample(reason))
            quality.lost_samples =
                exp_text_add(quality.lost_samples, quality.loss[reason]);
    }
    /* A stack is marked, or counted, or both. */
    uint64_t counted = exp_text_add(
        quality.loss[PROF_LOSS_CUT], quality.loss[PROF_LOSS_INCOMPLETE]);
    if (counted > quality.incomplete_samples)
        quality.incomplete_samples = counted;
    return quality;
}

bool exp_quality_is_good(const struct exp_quality *quality)
{
    for (int reason = 0; reason < PROF_LOSS_COUNT; reason++) {
        if (quality->loss[reason] > 0)
            return false;
    }
    return quality->samples > 0 && quality->incomplete_samples == 0;
}

const char *exp_loss_name(
    enum prof_loss reason, char buffer[static EXP_LOSS_NAME_BYTES])
{
    static const char *const names[PROF_LOSS_COUNT] = {
#define LOSS_NAME(name, text) [PROF_LOSS_##name] = #name,
        PROF_LOSS_LIST(LOSS_NAME)
#undef LOSS_NAME
    };
    size_t at = 0;
    for (const char *c = names[reason]; *c && at + 1 < EXP_LOSS_NAME_BYTES; c++)
        buffer[at++] = (char)tolower((unsigned char)*c);
    buffer[at] = '\0';
    return buffer;
}

/* ---- sentences ---- */

static void write_value(struct exp_writer *writer, uint64_t ns)
{
    char text[EXP_TEXT_VALUE_BYTES];
    exp_write_text(writer, exp_text_value(ns, "nanoseconds", text));
}

/* What was counted, what of it no sample covers, what the kernel says. */
static void write_cpu(
    const struct exp_quality *quality, struct exp_writer *writer)
{
    if (quality->has_cpu) {
        exp_write_text(writer, ", CPU ");
        write_value(writer, quality->sampled_ns);
    }
    if (quality->account_ns > 0) {
        exp_write_text(writer, " (");
        write_value(writer, quality->account_ns);
        exp_write_text(writer, " of it outside samples)");
    }
    if (quality->kernel_ns == 0)
        return;
    exp_write_text(writer, quality->has_cpu ? " of " : ", CPU ");
    write_value(writer, quality->kernel_ns);
    exp_write_text(writer, " by the kernel's account");
    if (quality->has_cpu)
        exp_write_format(
            writer, " (%.1f %%)",
            exp_text_percent(quality->sampled_ns, quality->kernel_ns));
}

void exp_quality_write_facts(
    const struct exp_quality *quality, const struct prof_profile *profile,
    struct exp_writer *writer)
{
    const struct prof_origin *origin = prof_profile_read_origin(profile);
    const char *clock = prof_profile_text(profile, origin->clock);
    exp_write_format(
        writer, "%" PRIu64 " sample%s", quality->samples,
        quality->samples == 1 ? "" : "s");
    if (quality->duration_ns > 0) {
        exp_write_text(writer, " in ");
        write_value(writer, quality->duration_ns);
    }
    if (quality->wall_ns > 0) {
        exp_write_text(writer, ", wall ");
        write_value(writer, quality->wall_ns);
    }
    write_cpu(quality, writer);
    if (*clock) {
        exp_write_text(writer, ", clock ");
        exp_write_clean(writer, clock);
    }
    if (origin->period_ns > 0) {
        exp_write_format(
            writer, " at %.0f Hz", 1e9 / (double)origin->period_ns);
    }
}

static void write_lost(
    const struct exp_quality *quality, struct exp_writer *writer)
{
    if (quality->lost_samples == 0) {
        exp_write_text(writer, "no sample lost");
        return;
    }
    exp_write_format(
        writer, "%" PRIu64 " sample%s lost (%.2f %%)", quality->lost_samples,
        quality->lost_samples == 1 ? "" : "s",
        exp_text_percent(
            quality->lost_samples,
            exp_text_add(quality->samples, quality->lost_samples)));
}

static void write_incomplete(
    const struct exp_quality *quality, struct exp_writer *writer)
{
    if (quality->incomplete_samples == 0) {
        exp_write_text(writer, ", all stacks complete");
        return;
    }
    exp_write_format(
        writer, ", %" PRIu64 " stack%s incomplete (%.2f %%)",
        quality->incomplete_samples,
        quality->incomplete_samples == 1 ? "" : "s",
        exp_text_percent(quality->incomplete_samples, quality->samples));
}

void exp_quality_write_losses(
    const struct exp_quality *quality, struct exp_writer *writer)
{
    if (quality->samples == 0 && quality->lost_samples == 0) {
        exp_write_text(writer, "nothing was sampled");
    } else {
        write_lost(quality, writer);
        write_incomplete(quality, writer);
    }
    const char *before = "; ";
    for (int reason = 0; reason < PROF_LOSS_COUNT; reason++) {
        if (quality->loss[reason] == 0)
            continue;
        exp_write_format(
            writer, "%s%s: %" PRIu64, before, prof_loss_text(reason),
            quality->loss[reason]);
        before = ", ";
    }
}
