/*
 * What the subcommands share: how they speak to a person, and how they take
 * their command line.
 *
 * Exit status: 0 done, 1 the work failed, 2 the command line is wrong;
 * `record -- COMMAND` has its own (tools/record.c).
 */
#ifndef TOOLS_TOOL_H
#define TOOLS_TOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "exporters/options.h"
#include "profiler/base/status.h"
#include "profiler/model/profile.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* A subcommand: argv[0] is its name. Returns the exit status. */
typedef int tool_main(int argc, char **argv);

tool_main record_main, collect_main, export_main, flamegraph_main, report_main,
    symbolize_main, dump_main, top_main, send_main, doctor_main;

/* "watchfire: ..." on standard error, one line. */
void say(const char *format, ...) PRINTF_LIKE(1, 2);

/* The same, of one text: for those who are told what to call. */
void say_text(const char *text);

/* Say a failure's sentence; returns the exit status that goes with it. */
int say_failure(const struct diag *diag);

/* Say what is wrong with the command line and where help is; EXIT_USAGE. */
int say_usage(const char *command, const char *format, ...) PRINTF_LIKE(2, 3);

/* Bytes of a path and other texts of the command line. */
#define TOOL_TEXT_BYTES 4096

/* "997" -> 1 to 20000 Hz as a period. */
bool parse_frequency(const char *text, uint64_t *period_ns);

/* A percentage from 0.1 to 100, to a share. */
bool parse_overhead(const char *text, double *share);

/* "10", "1.5s", "200ms", "5m", "1h" -> ns, more than 0. */
bool parse_duration(const char *text, uint64_t *duration_ns);

/* "cfi" or "libunwind", the reference. */
bool parse_unwinder(const char *text, bool *is_reference);

/*
 * Read any profile and symbolize what is not yet. Remarks are said; the
 * profile is the caller's.
 */
MUST_CHECK enum status load_profile(
    struct prof_profile **profile, const char *path, struct diag *diag);

/*
 * From now on Ctrl-C, and what else asks us to end, is read from the descriptor
 * that comes back, or -1; and a reader that goes away is an error of a write.
 */
int take_ending_signals(void);

/* "ns" or "samples". */
bool parse_unit(const char *text, enum exp_unit *unit);

#endif
