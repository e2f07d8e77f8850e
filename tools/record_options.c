/* The command line of watchfire record. */
#include "tools/record_options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "tools/crash_reports.h"
#include "tools/sentry_settings.h"
#include "tools/session.h"
#include "tools/tool.h"

enum { DEFAULT_HZ = 997 };

struct record_options record_options_default(void)
{
    return (struct record_options){
        .via = PROF_WAYS,
        .collector = {
            .period_ns = (1000000000 + DEFAULT_HZ / 2) / DEFAULT_HZ,
            .max_overhead = 0.03,
            .best_mode = PROF_CLOCK_PERF}};
}

static const char help[] =
    "Usage: watchfire record [OPTION]... -- COMMAND [ARGUMENT]...\n"
    "       watchfire record [OPTION]... -p PROCESS\n"
    "Run COMMAND and sample where it, and every program it starts, spends its\n"
    "CPU time; or sample PROCESS, which runs already, with what it has "
    "started\n"
    "and starts, until it ends, TIME is over, or Ctrl-C. It is done in the "
    "best\n"
    "way that the system permits, which the summary names.\n"
    "\n"
    "  -F, --frequency HZ\n"
    "                 samples a second and thread; 997 unless given\n"
    "  -o, --output FILE\n"
    "                 write FILE, in the format of its extension: .svg,\n"
    "                 .folded, .data (perf.data), .envelope (for Sentry);\n"
    "                 repeatable; watchfire.data unless given; - is standard\n"
    "                 output\n"
    "  -f, --format FORMAT\n"
    "                 the format of every -o instead: svg, folded, data or\n"
    "                 envelope\n"
    "  -d, --duration TIME\n"
    "                 sample for TIME only (10, 10s, 5m)\n"
    "  -p, --pid PROCESS\n"
    "                 a pid, or the name of a program that runs once; several\n"
    "                 are separated by commas\n"
    "  -t, --tid TID,...\n"
    "                 these threads only, and none they make\n"
    "  --via WAY      how PROCESS is sampled, where it may not be the best "
    "way:\n"
    "                 perf     perf events: nothing enters it or stops it\n"
    "                 inject   an agent is brought into it and what it has\n"
    "                          started, and taken out in the end\n"
    "                 ptrace   who runs is stopped for a moment, at most 250\n"
    "                          times a second\n"
    "  --via perf     sample COMMAND as well from outside: for programs that "
    "are\n"
    "                 static or made by Go\n"
    "  -e, --event EVENT\n"
    "                 what to sample: cpu, or wall: time asleep as well\n"
    "  --crashes[=FILE]\n"
    "                 tell of programs that crash, and write a FILE for each:\n"
    "                 the signal, what was said, registers and all stacks, as\n"
    "                 a Sentry event; watchfire.%e.%p.crash.json unless given\n"
    "  --exits        the same of programs that exit with a status but 0\n"
    "  --tag KEY=VALUE\n"
    "                 said with every report, where SENTRY_DSN is set;\n"
    "                 repeatable\n"
    "  --in-app PATTERN,...\n"
    "                 objects and functions that are the program's own to\n"
    "                 Sentry, or, behind a '!', are not; see the README\n"
    "  --threads      show threads apart\n"
    "  --unit UNIT    what folded counts are: ns or samples\n"
    "  --short-names  leave the arguments of templates out of names: map<...>\n"
    "  --max-overhead PERCENT\n"
    "                 lower the rate when sampling costs more than this share\n"
    "                 of the CPU time, and use timers where switches do; 3\n"
    "                 unless given, and never more than 90\n"
    "  --clock CLOCK  perf, user or timer instead of the best permitted one\n"
    "  --unwinder E   cfi (ours) or libunwind (the reference)\n"
    "  -h, --help     this text\n";

enum {
    OPTION_THREADS = 256,
    OPTION_UNIT,
    OPTION_SHORT_NAMES,
    OPTION_CLOCK,
    OPTION_UNWINDER,
    OPTION_MAX_OVERHEAD,
    OPTION_VIA,
    OPTION_CRASHES,
    OPTION_EXITS,
    OPTION_TAG,
    OPTION_IN_APP
};

static const struct option long_options[] = {
    {"help", no_argument, NULL, 'h'},
    {"output", required_argument, NULL, 'o'},
    {"format", required_argument, NULL, 'f'},
    {"frequency", required_argument, NULL, 'F'},
    {"duration", required_argument, NULL, 'd'},
    {"event", required_argument, NULL, 'e'},
    {"threads", no_argument, NULL, OPTION_THREADS},
    {"unit", required_argument, NULL, OPTION_UNIT},
    {"short-names", no_argument, NULL, OPTION_SHORT_NAMES},
    {"clock", required_argument, NULL, OPTION_CLOCK},
    {"unwinder", required_argument, NULL, OPTION_UNWINDER},
    {"max-overhead", required_argument, NULL, OPTION_MAX_OVERHEAD},
    {"pid", required_argument, NULL, 'p'},
    {"tid", required_argument, NULL, 't'},
    {"via", required_argument, NULL, OPTION_VIA},
    {"crashes", optional_argument, NULL, OPTION_CRASHES},
    {"exits", no_argument, NULL, OPTION_EXITS},
    {"tag", required_argument, NULL, OPTION_TAG},
    {"in-app", required_argument, NULL, OPTION_IN_APP},
    {NULL, 0, NULL, 0}};

static bool parse_clock(const char *text, enum prof_clock_mode *mode)
{
    static const struct {
        const char *name;
        enum prof_clock_mode mode;
    } clocks[] = {
        {"perf", PROF_CLOCK_PERF},
        {"user", PROF_CLOCK_PERF_USER},
        {"timer", PROF_CLOCK_TIMER}};
    for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
        if (strcmp(text, clocks[i].name) == 0) {
            *mode = clocks[i].mode;
            return true;
        }
    }
    return false;
}

/* Who is sampled, and how. */
static int take_whom(struct record_options *options, int option)
{
    struct diag diag = {.status = STATUS_OK};
    if (option == 'p') {
        if (process_list_add(&options->processes, optarg, &diag) == STATUS_OK)
            return EXIT_DONE;
        return say_failure(&diag);
    }
    if (option == 't') {
        if (process_list_add_threads(&options->threads, optarg))
            return EXIT_DONE;
        return say_usage("record", "-t %s is not a list of threads", optarg);
    }
    options->via = prof_way_named(optarg);
    if (options->via != PROF_WAYS)
        return EXIT_DONE;
    return say_usage(
        "record", "--via %s is not a way: perf, inject, ptrace", optarg);
}

/* How the agent works. */
static int take_agent_option(struct record_options *options, int option)
{
    switch (option) {
    case OPTION_CLOCK:
        options->agents_only = "--clock";
        if (!parse_clock(optarg, &options->collector.best_mode))
            return say_usage(
                "record", "--clock %s is none of perf, user, timer", optarg);
        return EXIT_DONE;
    case OPTION_MAX_OVERHEAD:
        options->agents_only = "--max-overhead";
        if (!parse_overhead(optarg, &options->collector.max_overhead))
            return say_usage(
                "record", "--max-overhead %s is not a share from 0.1 to 100 %%",
                optarg);
        return EXIT_DONE;
    case OPTION_UNWINDER:
        options->agents_only = "--unwinder";
        if (!parse_unwinder(optarg, &options->collector.is_reference_wanted))
            return say_usage(
                "record", "--unwinder %s is neither cfi nor libunwind", optarg);
        return EXIT_DONE;
    case OPTION_CRASHES:
        options->agents_only = "--crashes";
        options->collector.crashes.is_wanted = true;
        options->crashes = optarg != NULL ? optarg : CRASH_REPORTS_PATTERN;
        return EXIT_DONE;
    case OPTION_EXITS:
        options->agents_only = "--exits";
        options->collector.crashes.is_wanted = true;
        options->collector.crashes.are_exits_wanted = true;
        if (options->crashes == NULL)
            options->crashes = CRASH_REPORTS_PATTERN;
        return EXIT_DONE;
    default:
        return say_usage("record", "the command line is wrong");
    }
}

/* One option; EXIT_DONE or the status of a wrong one. */
static int add_tag(struct record_options *options, const char *tag)
{
    struct exp_scope alone = {.tag_count = 0}; /* the settings come later */
    struct diag diag;
    if (sentry_settings_add_tags(&alone, tag, &diag) != STATUS_OK)
        return say_usage("record", "--%s", diag.text);
    if (options->tag_count == RECORD_TAGS_MAX)
        return say_usage("record", "more than %d times --tag", RECORD_TAGS_MAX);
    options->tags[options->tag_count++] = tag;
    return EXIT_DONE;
}

static int take_option(struct record_options *options, int option)
{
    switch (option) {
    case 'o':
        if (options->path_count == OUTPUTS_MAX)
            return say_usage("record", "more than %d outputs", OUTPUTS_MAX);
        options->paths[options->path_count++] = optarg;
        return EXIT_DONE;
    case 'p':
    case 't':
    case OPTION_VIA:
        return take_whom(options, option);
    case 'f':
        options->format_name = optarg;
        return EXIT_DONE;
    case 'F':
        if (!parse_frequency(optarg, &options->collector.period_ns))
            return say_usage(
                "record", "-F %s is not a rate from 1 to 20000 Hz", optarg);
        options->has_rate = true;
        return EXIT_DONE;
    case 'd':
        if (!parse_duration(optarg, &options->duration_ns))
            return say_usage(
                "record", "-d %s is not a time such as 10, 10s or 5m", optarg);
        return EXIT_DONE;
    case 'e':
        if (!session_parse_event(optarg, &options->collector.is_wall))
            return say_usage(
                "record", "-e %s is not an event: cpu or wall", optarg);
        return EXIT_DONE;
    case OPTION_THREADS:
        options->output.with_threads = true;
        return EXIT_DONE;
    case OPTION_SHORT_NAMES:
        options->output.has_short_names = true;
        return EXIT_DONE;
    case OPTION_TAG:
        return add_tag(options, optarg);
    case OPTION_IN_APP:
        options->in_app = optarg;
        return EXIT_DONE;
    case OPTION_UNIT:
        if (!parse_unit(optarg, &options->output.unit))
            return say_usage(
                "record", "--unit %s is neither ns nor samples", optarg);
        return EXIT_DONE;
    default:
        return take_agent_option(options, option);
    }
}

/* An agent in a process that runs has timers of its own, and our unwinder. */
static int check_injected(struct record_options *options)
{
    if (options->collector.is_reference_wanted ||
        options->collector.best_mode != PROF_CLOCK_PERF)
        return say_usage(
            "record", "--via inject goes with neither --clock nor --unwinder");
    return EXIT_DONE;
}

/* Processes that run already. */
static int check_attached(struct record_options *options)
{
    if (options->threads.count > 0 && options->processes.count > 1)
        return say_usage("record", "-t goes with one process only");
    if (options->via == PROF_WAY_INJECT)
        return check_injected(options);
    if (options->agents_only == NULL)
        return EXIT_DONE;
    return say_usage(
        "record", "%s needs the agent, and with %s there is none",
        options->agents_only,
        options->via == PROF_WAY_PTRACE ? "--via ptrace" : "-p");
}

/* Whether the options go together. */
static int check_whom(struct record_options *options, int left, char **command)
{
    bool is_attached = options->processes.count + options->threads.count > 0;
    if (is_attached && left > 0)
        return say_usage("record", "there is -p or -t, and a command as well");
    if (is_attached)
        return check_attached(options);
    if (left == 0)
        return say_usage("record", "there is no command to run, and no -p");
    if (options->via == PROF_WAY_INJECT || options->via == PROF_WAY_PTRACE)
        return say_usage(
            "record", "--via %s goes with -p", prof_way_name(options->via));
    if (options->via == PROF_WAY_PERF && options->agents_only != NULL)
        return say_usage(
            "record", "%s needs the agent, and with --via perf there is none",
            options->agents_only);
    options->command = command;
    return EXIT_DONE;
}

int record_options_parse(struct record_options *options, int argc, char **argv)
{
    int option;
    opterr = 0;
    while ((option = getopt_long(
                argc, argv, "+:F:o:f:d:e:p:t:h", long_options, NULL)) != -1) {
        if (option == 'h') {
            (void)fputs(help, stdout);
            return EXIT_DONE;
        }
        if (option == ':')
            return say_usage(
                "record", "%s wants an argument", argv[optind - 1]);
        if (option == '?')
            return say_usage("record", "%s is not an option", argv[optind - 1]);
        int status = take_option(options, option);
        if (status != EXIT_DONE)
            return status;
    }
    return check_whom(options, argc - optind, argv + optind);
}
