/* watchfire report: which functions take the time, and how sure that is. */
#include "tools/tool.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "exporters/report.h"
#include "exporters/writer.h"
#include "tools/short_names.h"

enum { DEFAULT_TOP = 20 };

struct report {
    const char *input;
    bool is_json, is_help;
    struct exp_report_view view;
    struct exp_options options;
};

static const char help[] =
    "Usage: watchfire report [OPTION]...\n"
    "Print the functions that take the time, by self and total, and how far\n"
    "the profile can be trusted.\n"
    "\n"
    "  -i, --input FILE    the profile; watchfire.data unless given\n"
    "  -n, --top N         so many functions; 0 is all; 20 unless given\n"
    "  --callers FUNCTION  who calls it\n"
    "  --callees FUNCTION  what it calls\n"
    "  --json              the same for a program\n"
    "  --unit UNIT         ns or samples\n"
    "  --short-names       leave the arguments of templates out of names: "
    "map<...>\n"
    "  -h, --help          this text\n";

enum {
    OPTION_CALLERS = 256,
    OPTION_CALLEES,
    OPTION_JSON,
    OPTION_UNIT,
    OPTION_SHORT_NAMES
};

static const struct option long_options[] = {
    {"help", no_argument, NULL, 'h'},
    {"input", required_argument, NULL, 'i'},
    {"top", required_argument, NULL, 'n'},
    {"callers", required_argument, NULL, OPTION_CALLERS},
    {"callees", required_argument, NULL, OPTION_CALLEES},
    {"json", no_argument, NULL, OPTION_JSON},
    {"unit", required_argument, NULL, OPTION_UNIT},
    {"short-names", no_argument, NULL, OPTION_SHORT_NAMES},
    {NULL, 0, NULL, 0}};

static bool parse_count(const char *text, uint32_t *count)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (end == text || *end != '\0' || *text == '-' || value > UINT32_MAX)
        return false;
    *count = (uint32_t)value;
    return true;
}

static int take_option(struct report *report, int option, char **argv)
{
    switch (option) {
    case 'h':
        report->is_help = true;
        return EXIT_DONE;
    case 'i':
        report->input = optarg;
        return EXIT_DONE;
    case 'n':
        if (!parse_count(optarg, &report->view.top))
            return say_usage("report", "--top %s is not a number", optarg);
        return EXIT_DONE;
    case OPTION_CALLERS:
        report->view.callers = optarg;
        return EXIT_DONE;
    case OPTION_CALLEES:
        report->view.callees = optarg;
        return EXIT_DONE;
    case OPTION_JSON:
        report->is_json = true;
        return EXIT_DONE;
    case OPTION_SHORT_NAMES:
        report->options.has_short_names = true;
        return EXIT_DONE;
    case OPTION_UNIT:
        if (parse_unit(optarg, &report->options.unit))
            return EXIT_DONE;
        return say_usage(
            "report", "--unit %s is neither ns nor samples", optarg);
    case ':':
        return say_usage("report", "%s wants an argument", argv[optind - 1]);
    default:
        return say_usage("report", "%s is not an option", argv[optind - 1]);
    }
}

static int parse_options(struct report *report, int argc, char **argv)
{
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":i:n:h", long_options, NULL)) !=
           -1) {
        int status = take_option(report, option, argv);
        if (status != EXIT_DONE || report->is_help)
            return status;
    }
    if (optind < argc)
        return say_usage("report", "'%s' is not an option", argv[optind]);
    return EXIT_DONE;
}

static uint32_t terminal_columns(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 0;
}

static enum status write_report(const struct report *report, struct diag *diag)
{
    struct prof_profile *profile = NULL;
    enum status status = load_profile(&profile, report->input, diag);
    if (status != STATUS_OK)
        return status;
    if (report->options.has_short_names)
        shorten_names(profile);

    struct exp_report *made = exp_report_create(profile, &report->options);
    struct exp_writer *writer = exp_writer_create(STDOUT_FILENO);
    if (made == NULL || writer == NULL) {
        status = fail(diag, STATUS_NO_MEMORY, "out of memory");
    } else {
        if (report->is_json)
            exp_report_write_json(made, &report->view, writer);
        else
            exp_report_write_text(made, &report->view, writer);
        status = exp_writer_finish(writer, "standard output", diag);
    }
    exp_writer_destroy(writer);
    exp_report_destroy(made);
    prof_profile_destroy(profile);
    return status;
}

int report_main(int argc, char **argv)
{
    struct report report = {
        .input = "watchfire.data",
        .view = {.top = DEFAULT_TOP, .columns = terminal_columns()}};
    struct diag diag = {.status = STATUS_OK};
    int status = parse_options(&report, argc, argv);
    if (status != EXIT_DONE)
        return status;
    if (report.is_help) {
        (void)fputs(help, stdout);
        return EXIT_DONE;
    }
    return write_report(&report, &diag) == STATUS_OK ? EXIT_DONE
                                                     : say_failure(&diag);
}
