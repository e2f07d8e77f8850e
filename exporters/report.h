/*
 * The report: which functions take the time, alone and with what they call.
 *
 * A function is a name in a module. Its self value is what was counted in the
 * function itself, its total adds everything it called; recursion counts once.
 *
 * Callers and callees are the functions one call away. Both add up to the
 * total of the function asked for: a recursive call is neither.
 *
 * JSON, stable within a version:
 *
 *   {"version": 1,
 *    "origin": {"command_line", "hostname", "os_release", "architecture",
 *               "clock": text, "period_ns", "start_unix_ns", "duration_ns",
 *               "cpu_count": number},
 *    "value": {"name", "unit": text},       of every self and total below
 *    "total": number,
 *    "quality": {"samples", "incomplete_samples", "lost_samples",
 *                "sampled_ns", "account_ns", "kernel_ns": number,
 *                "losses": [{"reason", "text": text, "count": number}]},
 *    "notes": [text],                         what was lost and why
 *    "states": [{"state": text, "total": number}],
 *    "processes": [{"name": text, "total": number}],
 *    "function_count": number,
 *    "functions": [{FUNCTION, "self", "total": number}],
 *    "callers": {"function": text,            what was asked for
 *                "matches": [text],           the names that it found
 *                "total", "self": number,     of them; callers: self is 0
 *                "functions": [{FUNCTION, "value": number}]},
 *    "callees": the same}
 *
 *   FUNCTION = "name", "kind", "module", "file": text, "line": number
 *
 * "functions" holds the top by self, in that order, then those of the top by
 * total that are not among them. "callers" and "callees" are there if asked
 * for; what calls a program's first function is its process.
 * Losses and states (prof_state_text()) are listed where they are not 0. An
 * unknown text is "", an unknown number 0.
 */
#ifndef EXPORTERS_REPORT_H
#define EXPORTERS_REPORT_H

#include <stdint.h>

#include "exporters/options.h"

struct exp_report;
struct exp_writer;
struct prof_profile;

struct exp_report_view {
    uint32_t top;        /* rows of a table at most; 0: all */
    uint32_t columns;    /* width of the text; 0: as wide as it gets */
    const char *callers; /* of this function, or NULL */
    const char *callees; /* of this function, or NULL */
};

/* Borrows the profile; NULL when out of memory. */
struct exp_report *exp_report_create(
    const struct prof_profile *profile, const struct exp_options *options);
void exp_report_destroy(struct exp_report *report);

/*
 * Render. `callers` and `callees` name a function exactly, or without its
 * parameters, or else by any part of the name. Failures stay in the writer.
 */
void exp_report_write_text(
    const struct exp_report *report, const struct exp_report_view *view,
    struct exp_writer *writer);
void exp_report_write_json(
    const struct exp_report *report, const struct exp_report_view *view,
    struct exp_writer *writer);

#endif
