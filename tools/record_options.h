/* The command line of watchfire record. */
#ifndef TOOLS_RECORD_OPTIONS_H
#define TOOLS_RECORD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exporters/options.h"
#include "profiler/collector/collector.h"
#include "profiler/tap/ways.h"
#include "tools/outputs.h"
#include "tools/process_list.h"
#include "tools/reporting.h"

enum { RECORD_TAGS_MAX = 32 };

/* Texts are borrowed from argv. */
struct record_options {
    struct prof_collector_options collector;
    struct exp_options output;
    const char *format_name; /* -f, or NULL */
    struct reporting reporting;
    const char *tags[RECORD_TAGS_MAX]; /* --tag */
    size_t tag_count;
    const char *in_app; /* --in-app, or NULL */
    const char *paths[OUTPUTS_MAX];
    size_t path_count;
    uint64_t duration_ns;          /* 0: until the program ends */
    char **command;                /* NULL after --help, and with processes */
    struct process_list processes; /* -p: that run already */
    struct process_list threads;   /* -t: of them, these only; empty: all */
    enum prof_way via;             /* PROF_WAYS: none was chosen */
    bool has_rate;                 /* -F was given */
    const char *crashes;           /* pattern of files with crashes, or NULL */
    const char *agents_only;       /* an option that needs an agent, or NULL */
};

struct record_options record_options_default(void);

/*
 * EXIT_DONE, with a command to run, with processes or threads, or with neither
 * after --help; or the exit status of a command line that is wrong, or names
 * nobody, which was said.
 */
int record_options_parse(struct record_options *options, int argc, char **argv);

#endif
