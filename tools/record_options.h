/* The command line of watchfire record. */
#ifndef TOOLS_RECORD_OPTIONS_H
#define TOOLS_RECORD_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "exporters/options.h"
#include "profiler/collector/collector.h"
#include "tools/outputs.h"

/* Texts are borrowed from argv. */
struct record_options {
    struct prof_collector_options collector;
    struct exp_options output;
    const char *format_name; /* -f, or NULL */
    const char *paths[OUTPUTS_MAX];
    size_t path_count;
    uint64_t duration_ns; /* 0: until the program ends */
    char **command;       /* NULL after --help */
};

struct record_options record_options_default(void);

/*
 * EXIT_DONE, with a command to run or without one after --help; or the exit
 * status of a command line that is wrong, which was said.
 */
int record_options_parse(struct record_options *options, int argc, char **argv);

#endif
