/*
 * watchfire export and watchfire flamegraph: any readable profile to any
 * format.
 */
#include "tools/tool.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "exporters/sentry/timeline.h"
#include "profiler/recording/reader.h"
#include "symbolizer/symbolizer.h"
#include "tools/open_symbolizer.h"
#include "tools/outputs.h"
#include "tools/sentry_settings.h"
#include "tools/short_names.h"
#include "tools/symbolize_profile.h"

struct export
{
    const char *command; /* "export" or "flamegraph" */
    const char *input, *format_name;
    const char *paths[OUTPUTS_MAX];
    size_t path_count;
    struct outputs outputs;
    struct exp_scope scope; /* of an envelope */
    bool is_help;
};

static const char export_help[] =
    "Usage: watchfire export -i FILE -o FILE...\n"
    "Read a profile (perf.data or folded stacks; - is standard input) and\n"
    "write it in other formats.\n"
    "\n"
    "  -i, --input FILE\n"
    "                 the profile to read; watchfire.data unless given\n"
    "  -o, --output FILE\n"
    "                 write FILE, in the format of its extension: .svg,\n"
    "                 .folded, .data (perf.data), .envelope (for Sentry);\n"
    "                 repeatable; - is standard output\n"
    "  -f, --format FORMAT\n"
    "                 the format of every -o instead: svg, folded, data or\n"
    "                 envelope\n"
    "  --threads      show threads apart\n"
    "  --unit UNIT    what folded counts are: ns or samples\n"
    "  --title T      the title of a flame graph\n"
    "  --icicle       flame graphs with the root at the top\n"
    "  --short-names  leave the arguments of templates out of names: map<...>\n"
    "  -h, --help     this text\n";

static const char flamegraph_help[] =
    "Usage: watchfire flamegraph [-i FILE] -o FILE.svg\n"
    "Draw the flame graph of a profile; the options are those of export.\n";

enum {
    OPTION_THREADS = 256,
    OPTION_UNIT,
    OPTION_TITLE,
    OPTION_ICICLE,
    OPTION_SHORT_NAMES
};

static const struct option long_options[] = {
    {"help", no_argument, NULL, 'h'},
    {"input", required_argument, NULL, 'i'},
    {"output", required_argument, NULL, 'o'},
    {"format", required_argument, NULL, 'f'},
    {"threads", no_argument, NULL, OPTION_THREADS},
    {"unit", required_argument, NULL, OPTION_UNIT},
    {"title", required_argument, NULL, OPTION_TITLE},
    {"icicle", no_argument, NULL, OPTION_ICICLE},
    {"short-names", no_argument, NULL, OPTION_SHORT_NAMES},
    {NULL, 0, NULL, 0}};

static int take_option(struct export *export, int option, char **argv)
{
    struct exp_options *options = &export->outputs.options;
    switch (option) {
    case 'h':
        export->is_help = true;
        return EXIT_DONE;
    case 'i':
        export->input = optarg;
        return EXIT_DONE;
    case 'o':
        if (export->path_count == OUTPUTS_MAX)
            return say_usage(
                export->command, "more than %d outputs", OUTPUTS_MAX);
        export->paths[export->path_count++] = optarg;
        return EXIT_DONE;
    case 'f':
        export->format_name = optarg;
        return EXIT_DONE;
    case OPTION_THREADS:
        options->with_threads = true;
        return EXIT_DONE;
    case OPTION_TITLE:
        options->title = optarg;
        return EXIT_DONE;
    case OPTION_ICICLE:
        options->is_icicle = true;
        return EXIT_DONE;
    case OPTION_SHORT_NAMES:
        options->has_short_names = true;
        return EXIT_DONE;
    case OPTION_UNIT:
        if (parse_unit(optarg, &options->unit))
            return EXIT_DONE;
        return say_usage(
            export->command, "--unit %s is neither ns nor samples", optarg);
    case ':':
        return say_usage(
            export->command, "%s wants an argument", argv[optind - 1]);
    default:
        return say_usage(
            export->command, "%s is not an option", argv[optind - 1]);
    }
}

static int parse_options(struct export *export, int argc, char **argv)
{
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":i:o:f:h", long_options, NULL)) !=
           -1) {
        int status = take_option(export, option, argv);
        if (status != EXIT_DONE || export->is_help)
            return status;
    }
    if (optind < argc)
        return say_usage(
            export->command, "'%s' is not an option", argv[optind]);
    if (export->path_count == 0)
        return say_usage(export->command, "there is no -o FILE");
    return EXIT_DONE;
}

static enum status read_profile(
    struct prof_profile *profile, const char *path, struct diag *diag)
{
    struct diag remarks = {.status = STATUS_OK};
    enum status status = prof_recording_read(path, profile, &remarks);
    if (status != STATUS_OK) {
        *diag = remarks;
        return status;
    }
    if (remarks.text[0] != '\0')
        say("%s", remarks.text);
    struct sym_symbolizer *symbolizer = open_symbolizer(NULL);
    if (symbolizer == NULL)
        return fail(diag, STATUS_NO_MEMORY, "out of memory");
    const struct symbolize_help names = {.remark = say_text};
    status = symbolize_profile(profile, symbolizer, &names, diag);
    sym_symbolizer_destroy(symbolizer);
    return status;
}

enum status load_profile(
    struct prof_profile **profile, const char *path, struct diag *diag)
{
    struct prof_profile *loaded = prof_profile_create();
    if (loaded == NULL)
        return fail(diag, STATUS_NO_MEMORY, "out of memory");
    enum status status = read_profile(loaded, path, diag);
    if (status != STATUS_OK) {
        prof_profile_destroy(loaded);
        return status;
    }
    *profile = loaded;
    return STATUS_OK;
}

static void say_diag(void *context, const struct diag *diag)
{
    (void)context;
    say("%s", diag->text);
}

/* An envelope has times; the counts of folded stacks stand for some. */
static void say_what_counts_are(
    const struct export *export, const struct prof_profile *profile)
{
    uint64_t assumed_ns = exp_timeline_assumed_ns(profile);
    for (size_t i = 0; i < export->outputs.count && assumed_ns != 0; i++) {
        if (export->outputs.rows[i].format->id == EXP_FORMAT_ENVELOPE) {
            say("'%s': the counts of '%s' are taken for %s; watchfire send "
                "--unit says otherwise",
                export->paths[i], export->input,
                exp_timeline_assumed_text(assumed_ns));
            return;
        }
    }
}

static int run_export(struct export *export)
{
    struct diag diag = {.status = STATUS_OK};
    struct prof_profile *profile = NULL;
    enum status status = sentry_settings_read_scope(&export->scope, &diag);
    export->outputs.options.scope = &export->scope;
    for (size_t i = 0; i < export->path_count && status == STATUS_OK; i++) {
        status = outputs_add(
            &export->outputs, export->paths[i], export->format_name, &diag);
    }
    if (status == STATUS_OK)
        status = load_profile(&profile, export->input, &diag);
    if (status == STATUS_OK && export->outputs.options.has_short_names)
        shorten_names(profile);
    if (status == STATUS_OK)
        status = outputs_begin(&export->outputs, &diag);
    if (status != STATUS_OK) {
        prof_profile_destroy(profile);
        return say_failure(&diag);
    }
    say_what_counts_are(export, profile);
    size_t failed = outputs_finish(&export->outputs, profile, say_diag, NULL);
    prof_profile_destroy(profile);
    return failed ? EXIT_FAILED : EXIT_DONE;
}

static int start(const char *command, const char *usage, int argc, char **argv)
{
    struct export export = {.command = command, .input = "watchfire.data"};
    int status = parse_options(&export, argc, argv);
    if (export.is_help) {
        (void)fputs(usage, stdout);
        return EXIT_DONE;
    }
    return status == EXIT_DONE ? run_export(&export) : status;
}

int export_main(int argc, char **argv)
{
    return start("export", export_help, argc, argv);
}

int flamegraph_main(int argc, char **argv)
{
    return start("flamegraph", flamegraph_help, argc, argv);
}
