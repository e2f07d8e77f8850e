/* What is made of a crash. */
#include "tools/crash_reports.h"

#include <stdio.h>
#include <string.h>

#include "symbolizer/demangle.h"
#include "tools/symbolize_profile.h"

/* A type's name in the way that names of symbols are mangled. */
static void demangle_type(char *name, size_t bytes)
{
    static const char prefix[] = "typeinfo for ";
    char mangled[PROF_CRASH_TEXT_BYTES + 8], text[2 * PROF_CRASH_TEXT_BYTES];
    (void)snprintf(mangled, sizeof mangled, "_ZTI%s", name);
    if (*name == '\0' || sym_demangle(mangled, text, sizeof text) == 0 ||
        strncmp(text, prefix, sizeof prefix - 1) != 0)
        return;
    (void)snprintf(
        name, bytes, "%.*s", (int)(bytes - 1), text + sizeof prefix - 1);
}

static void give_names(
    const struct crash_reports *reports, struct prof_crash *crash)
{
    struct diag diag = {.status = STATUS_OK};
    if (symbolize_profile(
            crash->profile, reports->session->symbolizer, NULL, &diag) !=
        STATUS_OK)
        prof_profile_add_note(crash->profile, diag.text);
    demangle_type(crash->exception_type, sizeof crash->exception_type);
}

static void take(void *owner, struct prof_crash *crash)
{
    struct crash_reports *reports = owner;
    char line[3 * PROF_CRASH_TEXT_BYTES];
    reports->count++;
    give_names(reports, crash);
    prof_crash_describe(crash, line, sizeof line);
    prof_profile_add_note(reports->session->profile, line);
    prof_crash_destroy(crash);
}

void crash_reports_ask(
    struct crash_reports *reports, struct session *session,
    struct prof_collector_options *options)
{
    reports->session = session;
    options->crashes.take = take;
    options->crashes.owner = reports;
}
