/* A crash on its way to a Sentry backend. */
#include "tools/crash_send.h"

#include <signal.h>
#include <stdlib.h>

#include "exporters/sentry/crash_book.h"
#include "exporters/sentry/envelope.h"
#include "exporters/sentry/event.h"
#include "exporters/sentry/system.h"
#include "exporters/sentry/user_names.h"
#include "tools/tool.h"

static bool is_due(
    const struct reporting *reporting, const struct prof_crash *crash,
    uint32_t *repeats)
{
    const char *pause = getenv("WATCHFIRE_CRASH_PAUSE");
    uint64_t pause_ns = 0;
    if (pause == NULL || !parse_duration(pause, &pause_ns))
        pause_ns = EXP_CRASH_PAUSE_MS * 1000000;
    return exp_crash_book_ask(
        exp_spool_path(reporting->spool), exp_crash_key(crash),
        crash->unix_ns / 1000000, pause_ns / 1000000, repeats);
}

static bool add_event(
    const struct reporting *reporting, const struct prof_crash *crash,
    const char *event_id, uint32_t repeats, struct exp_envelope *envelope)
{
    char *payload = NULL;
    size_t bytes = 0;
    struct exp_scope scope = reporting->settings.scope;
    struct exp_system system;
    exp_system_read(&system);
    if (scope.release == NULL || scope.release[0] == '\0')
        scope.release = reporting->health.release;
    const struct exp_event_options options = {
        .event_id = event_id,
        .scope = &scope,
        .system = &system,
        .profiler_id = reporting->is_profiling ? reporting->profiler_id : NULL,
        .repeats = repeats,
        .is_pii_sent = scope.is_pii_sent};
    if (exp_event_make(crash, &options, &payload, &bytes) != STATUS_OK)
        return false;
    if (!options.is_pii_sent)
        bytes = exp_user_names_hide(payload);
    exp_envelope_add(envelope, EXP_ITEM_EVENT, NULL, 0, payload, bytes);
    free(payload);
    return true;
}

/* By a mistake of its own, as far as one can say. */
static bool is_crash(const struct prof_crash *crash)
{
    return crash->kind == PROF_CRASH_CAUGHT || crash->kind == PROF_CRASH_KILLED;
}

static void count_unsent(const struct reporting *reporting)
{
    struct exp_discards unsent = {0};
    unsent.counts[EXP_DISCARD_SAMPLE_RATE][EXP_CATEGORY_ERROR] = 1;
    exp_spool_count_discards(reporting->spool, &unsent);
}

void crash_send(
    struct reporting *reporting, const struct prof_profile *profile,
    bool is_first, const struct prof_crash *crash)
{
    char id[EXP_ID_BYTES];
    uint32_t repeats = 0;
    reporting_name_release(reporting, profile);
    reporting->health.errors++;
    bool is_sent = sentry_settings_draw(reporting->settings.event_rate) &&
                   is_due(reporting, crash, &repeats);
    struct exp_envelope *envelope =
        exp_envelope_create(is_sent ? exp_id_make(id) : NULL);
    if (envelope == NULL)
        return;
    bool is_any = is_sent && add_event(reporting, crash, id, repeats, envelope);
    if (!is_sent)
        count_unsent(reporting);
    if (is_first && is_crash(crash) && crash->signal != SIGKILL)
        is_any |= reporting_add_crash(reporting, envelope);
    if (is_any && exp_spool_add(reporting->spool, envelope, NULL) == STATUS_OK)
        exp_sender_wake(reporting->sender);
    exp_envelope_destroy(envelope);
}
