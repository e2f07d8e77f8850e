/*
 * watchfire top: the functions that take the time in running processes, over
 * the last seconds, in a terminal; or once, for a script.
 */
#include "tools/tool.h"

#include <getopt.h>
#include <inttypes.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exporters/report.h"
#include "exporters/writer.h"
#include "profiler/base/clock.h"
#include "tools/limits.h"
#include "tools/open_symbolizer.h"
#include "tools/process_list.h"
#include "tools/symbolize_profile.h"
#include "tools/top_screen.h"
#include "tools/top_source.h"

#define DEFAULT_WINDOW_NS UINT64_C(10000000000)
#define DEFAULT_PERIOD_NS UINT64_C(10101010) /* 99 Hz */
#define REFRESH_NS        UINT64_C(1000000000)

enum { TOP_ROWS = 20 };

struct top {
    struct process_list processes;
    uint64_t window_ns, period_ns;
    bool is_once, is_json, is_help;

    struct prof_profile *profile;
    struct top_source source;
    struct sym_symbolizer *symbolizer;
    int signals;
    uint64_t begin_ns, end_ns; /* of the window */
    char whom[256];
};

static const char help[] =
    "Usage: watchfire top -p PROCESS [OPTION]...\n"
    "Show which functions take the time in a running process, now: by perf\n"
    "events, or, where those are refused, by stopping its threads, each for a\n"
    "moment. Nothing is brought into it.\n"
    "\n"
    "  -p, --pid PROCESS   a pid, or the name of a program that runs once;\n"
    "                      several of them are separated by commas\n"
    "  -F, --frequency HZ  samples a second; 99 unless given\n"
    "  --window TIME       what is shown is the last 10s, unless given\n"
    "  --once              wait for one window, print it and end\n"
    "  --json              with --once: the same for a program, as report\n"
    "  -h, --help          this text\n"
    "\n"
    "Keys: q quit, s sort by self or total, t threads, a all of them, / "
    "filter,\n"
    "p pause, arrows scroll, h help.\n";

enum { OPTION_WINDOW = 256, OPTION_ONCE, OPTION_JSON };

static const struct option long_options[] = {
    {"help", no_argument, NULL, 'h'},
    {"pid", required_argument, NULL, 'p'},
    {"frequency", required_argument, NULL, 'F'},
    {"window", required_argument, NULL, OPTION_WINDOW},
    {"once", no_argument, NULL, OPTION_ONCE},
    {"json", no_argument, NULL, OPTION_JSON},
    {NULL, 0, NULL, 0}};

static int take_option(struct top *top, int option, char **argv)
{
    struct diag diag;
    switch (option) {
    case 'h':
        top->is_help = true;
        return EXIT_DONE;
    case 'p':
        if (process_list_add(&top->processes, optarg, &diag) == STATUS_OK)
            return EXIT_DONE;
        return say_failure(&diag);
    case 'F':
        if (parse_frequency(optarg, &top->period_ns))
            return EXIT_DONE;
        return say_usage("top", "-F %s is not 1 to 20000 Hz", optarg);
    case OPTION_WINDOW:
        if (parse_duration(optarg, &top->window_ns))
            return EXIT_DONE;
        return say_usage("top", "--window %s is not a time", optarg);
    case OPTION_ONCE:
        top->is_once = true;
        return EXIT_DONE;
    case OPTION_JSON:
        top->is_json = true;
        return EXIT_DONE;
    case ':':
        return say_usage("top", "%s wants an argument", argv[optind - 1]);
    default:
        return say_usage("top", "%s is not an option", argv[optind - 1]);
    }
}

static int parse_options(struct top *top, int argc, char **argv)
{
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":p:F:h", long_options, NULL)) !=
           -1) {
        int status = take_option(top, option, argv);
        if (status != EXIT_DONE || top->is_help)
            return status;
    }
    if (optind < argc)
        return say_usage("top", "'%s' is not an option", argv[optind]);
    if (top->processes.count == 0)
        return say_usage("top", "there is no process: -p PID");
    if (top->is_json && !top->is_once)
        return say_usage("top", "--json goes with --once");
    return EXIT_DONE;
}

/* ---- sampling ---- */

static void describe(struct top *top)
{
    const struct prof_process *first = prof_profile_process(top->profile, 0);
    const char *name = prof_profile_text(top->profile, first->name);
    if (top->processes.count > 1)
        (void)snprintf(
            top->whom, sizeof top->whom, "%.100s and %" PRIu32 " more", name,
            top->processes.count - 1);
    else
        (void)snprintf(
            top->whom, sizeof top->whom, "%.100s, process %" PRIu32, name,
            first->pid);
    prof_profile_origin(top->profile)->command_line =
        prof_profile_string(top->profile, top->whom);
}

static enum status begin(struct top *top, struct diag *diag)
{
    struct limits inherited;
    limits_lift(&inherited);
    top->profile = prof_profile_create();
    top->symbolizer = open_symbolizer(NULL);
    if (top->profile == NULL || top->symbolizer == NULL)
        return fail(diag, STATUS_NO_MEMORY, "out of memory");
    enum status status = top_source_begin(
        &top->source, top->profile, top->period_ns, &top->processes, diag);
    if (status != STATUS_OK)
        return status;
    describe(top);
    top->begin_ns = top->end_ns = clock_now_ns(CLOCK_MONOTONIC);
    struct prof_origin *origin = prof_profile_origin(top->profile);
    origin->period_ns = top->period_ns;
    origin->cpu_count = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
    return STATUS_OK;
}

static void end(struct top *top)
{
    top_source_end(&top->source);
    sym_symbolizer_destroy(top->symbolizer);
    prof_profile_destroy(top->profile);
    if (top->signals >= 0)
        (void)close(top->signals);
}

/* What there is to show is the window that ends now. */
static enum status move_window(struct top *top, struct diag *diag)
{
    uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
    if (now_ns - top->begin_ns > top->window_ns)
        top->begin_ns = now_ns - top->window_ns;
    top->end_ns = now_ns;
    prof_profile_forget_samples(top->profile, top->begin_ns);
    struct prof_origin *origin = prof_profile_origin(top->profile);
    origin->start_ns = top->begin_ns;
    origin->end_ns = top->end_ns;
    return symbolize_profile(top->profile, top->symbolizer, NULL, diag);
}

static int wait_ms(const struct top *top, uint64_t until_ns)
{
    uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
    int left_ms =
        until_ns > now_ns ? (int)((until_ns - now_ns) / 1000000) + 1 : 0;
    int own_ms = top_source_wait_ms(&top->source);
    return own_ms >= 0 && own_ms < left_ms ? own_ms : left_ms;
}

/*
 * Take samples until `until_ns`.
 *
 *   keys     to wait for as well; -1: none
 *   returns  false when a signal asks us to end
 */
static bool sample(struct top *top, uint64_t until_ns, int keys)
{
    struct pollfd waits[] = {
        {.fd = top_source_fd(&top->source), .events = POLLIN},
        {.fd = top->signals, .events = POLLIN},
        {.fd = keys, .events = POLLIN}};
    while (clock_now_ns(CLOCK_MONOTONIC) < until_ns) {
        int ready = poll(waits, 3, wait_ms(top, until_ns));
        top_source_run(&top->source);
        if (ready > 0 && waits[1].revents != 0)
            return false;
        /* A key, or another size of the terminal. */
        if (ready < 0 || (ready > 0 && waits[2].revents != 0))
            break;
        if (keys < 0 && top_source_is_over(&top->source))
            break;
    }
    return true;
}

/* ---- once ---- */

static enum status print_once(struct top *top, struct diag *diag)
{
    static const struct exp_options options;
    struct exp_report_view view = {.top = TOP_ROWS};
    (void)sample(top, top->begin_ns + top->window_ns, -1);
    enum status status = move_window(top, diag);
    if (status != STATUS_OK)
        return status;
    struct exp_report *report = exp_report_create(top->profile, &options);
    struct exp_writer *writer = exp_writer_create(STDOUT_FILENO);
    if (report == NULL || writer == NULL) {
        status = fail(diag, STATUS_NO_MEMORY, "out of memory");
    } else {
        if (top->is_json)
            exp_report_write_json(report, &view, writer);
        else
            exp_report_write_text(report, &view, writer);
        status = exp_writer_finish(writer, "standard output", diag);
    }
    exp_writer_destroy(writer);
    exp_report_destroy(report);
    return status;
}

/* ---- live ---- */

static void draw(
    const struct top *top, struct top_screen *screen,
    const struct exp_report *report)
{
    struct top_facts facts = {
        .profile = top->profile,
        .report = report,
        .whom = top->whom,
        .way = top_source_remark(&top->source),
        .seconds = (double)(top->end_ns - top->begin_ns) / 1e9,
        .has_ended = top_source_is_over(&top->source)};
    top_screen_draw(screen, &facts);
}

/* Show what there is, and take keys, until it is to be looked at anew. */
static bool show(
    struct top *top, struct top_screen *screen, uint32_t only_tid,
    uint64_t until_ns)
{
    struct exp_options options = {.only_tid = only_tid};
    struct exp_report *report = exp_report_create(top->profile, &options);
    bool goes_on = report != NULL;
    while (goes_on && !screen->is_over && screen->tid == only_tid &&
           (screen->is_paused || clock_now_ns(CLOCK_MONOTONIC) < until_ns)) {
        draw(top, screen, report);
        uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
        goes_on = sample(
            top, screen->is_paused ? now_ns + REFRESH_NS : until_ns,
            STDIN_FILENO);
        (void)top_screen_keys(screen);
    }
    exp_report_destroy(report);
    return goes_on && !screen->is_over;
}

static enum status run_live(struct top *top, struct diag *diag)
{
    struct top_screen screen;
    enum status status = STATUS_OK;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) ||
        !top_screen_begin(&screen))
        return fail(
            diag, STATUS_USAGE,
            "there is no terminal to draw in (TERM=%s): 'watchfire top --once' "
            "prints the same",
            getenv("TERM") != NULL ? getenv("TERM") : "");
    bool goes_on = true;
    while (goes_on && status == STATUS_OK) {
        if (!screen.is_paused)
            status = move_window(top, diag);
        if (status == STATUS_OK)
            goes_on = show(
                top, &screen, screen.tid,
                clock_now_ns(CLOCK_MONOTONIC) + REFRESH_NS);
    }
    top_screen_end();
    return status;
}

int top_main(int argc, char **argv)
{
    static struct top top = {
        .window_ns = DEFAULT_WINDOW_NS,
        .period_ns = DEFAULT_PERIOD_NS,
        .signals = -1};
    struct diag diag = {.status = STATUS_OK};
    int exit_status = parse_options(&top, argc, argv);
    if (exit_status != EXIT_DONE)
        return exit_status;
    if (top.is_help) {
        (void)fputs(help, stdout);
        return EXIT_DONE;
    }
    (void)setlocale(LC_CTYPE, ""); /* what the terminal can show */
    top.signals = take_ending_signals();

    enum status status = begin(&top, &diag);
    if (status == STATUS_OK)
        status = top.is_once ? print_once(&top, &diag) : run_live(&top, &diag);
    end(&top);
    return status == STATUS_OK ? EXIT_DONE : say_failure(&diag);
}
