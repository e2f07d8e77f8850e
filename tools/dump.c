/* watchfire dump: the stack of every thread of a running process, now. */
#include "tools/tool.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "exporters/stacks.h"
#include "exporters/writer.h"
#include "profiler/collector/snapshot.h"
#include "tools/open_symbolizer.h"
#include "tools/process_list.h"
#include "tools/symbolize_profile.h"

struct dump {
    struct process_list processes;
    struct process_list threads; /* of the one process; empty: all */
    bool is_json, is_help;
};

static const char help[] =
    "Usage: watchfire dump -p PROCESS [OPTION]...\n"
    "Print the stack of every thread of a running process, with inlined calls\n"
    "and lines. A thread that sleeps is not stopped for it; one that runs is\n"
    "sampled by a perf event, or, where those are refused, held for a "
    "fraction\n"
    "of a millisecond, which the output tells.\n"
    "\n"
    "  -p, --pid PROCESS   a pid, or the name of a program that runs once;\n"
    "                      several of them are separated by commas\n"
    "  -t, --tid TID,...   these threads only\n"
    "  --json              the same for a program\n"
    "  -h, --help          this text\n";

enum { OPTION_JSON = 256 };

static const struct option long_options[] = {
    {"help", no_argument, NULL, 'h'},
    {"pid", required_argument, NULL, 'p'},
    {"tid", required_argument, NULL, 't'},
    {"json", no_argument, NULL, OPTION_JSON},
    {NULL, 0, NULL, 0}};

static int take_option(struct dump *dump, int option, char **argv)
{
    struct diag diag;
    switch (option) {
    case 'h':
        dump->is_help = true;
        return EXIT_DONE;
    case 'p':
        if (process_list_add(&dump->processes, optarg, &diag) == STATUS_OK)
            return EXIT_DONE;
        return say_failure(&diag);
    case 't':
        if (process_list_add_threads(&dump->threads, optarg))
            return EXIT_DONE;
        return say_usage("dump", "--tid %s is not a list of threads", optarg);
    case OPTION_JSON:
        dump->is_json = true;
        return EXIT_DONE;
    case ':':
        return say_usage("dump", "%s wants an argument", argv[optind - 1]);
    default:
        return say_usage("dump", "%s is not an option", argv[optind - 1]);
    }
}

static int parse_options(struct dump *dump, int argc, char **argv)
{
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":p:t:h", long_options, NULL)) !=
           -1) {
        int status = take_option(dump, option, argv);
        if (status != EXIT_DONE || dump->is_help)
            return status;
    }
    if (optind < argc)
        return say_usage("dump", "'%s' is not an option", argv[optind]);
    if (dump->processes.count == 0)
        return say_usage("dump", "there is no process: -p PID");
    if (dump->threads.count > 0 && dump->processes.count > 1)
        return say_usage("dump", "--tid goes with one process only");
    return EXIT_DONE;
}

static enum status take(
    const struct dump *dump, struct prof_snapshot *snapshot, struct diag *diag)
{
    enum status status = STATUS_OK;
    snapshot->tids = dump->threads.ids;
    snapshot->tid_count = dump->threads.count;
    for (uint32_t i = 0; i < dump->processes.count && status == STATUS_OK;
         i++) {
        snapshot->pid = dump->processes.ids[i];
        status = prof_snapshot_take(snapshot, diag);
    }
    return status;
}

static enum status write_stacks(
    const struct dump *dump, const struct prof_snapshot *snapshot,
    struct diag *diag)
{
    struct prof_profile *profile = snapshot->profile;
    struct exp_stacks_cost cost = {
        .hold_count = snapshot->held_count,
        .longest_hold_ns = snapshot->longest_hold_ns};
    static const struct sym_options options = {.is_brief = true};
    struct sym_symbolizer *symbolizer = open_symbolizer(&options);
    struct exp_writer *writer = exp_writer_create(STDOUT_FILENO);
    enum status status;
    if (symbolizer == NULL || writer == NULL) {
        status = fail(diag, STATUS_NO_MEMORY, "out of memory");
    } else {
        const struct symbolize_help names = {.remark = say_text};
        status = symbolize_profile(profile, symbolizer, &names, diag);
        if (status == STATUS_OK && dump->is_json)
            exp_stacks_write_json(profile, &cost, writer);
        else if (status == STATUS_OK)
            exp_stacks_write_text(profile, &cost, writer);
        if (status == STATUS_OK)
            status = exp_writer_finish(writer, "standard output", diag);
    }
    exp_writer_destroy(writer);
    sym_symbolizer_destroy(symbolizer);
    return status;
}

/* What is to be said beside the stacks; the exit status. */
static int remark(const struct prof_snapshot *snapshot)
{
    if (snapshot->unseen_count == 0)
        return EXIT_DONE;
    say("%" PRIu32 " of %" PRIu32 " threads could not be seen%s%s",
        snapshot->unseen_count, snapshot->thread_count,
        snapshot->refusal.status != STATUS_OK ? ": " : "",
        snapshot->refusal.status != STATUS_OK ? snapshot->refusal.text : "");
    return EXIT_FAILED;
}

int dump_main(int argc, char **argv)
{
    struct dump dump = {.is_json = false};
    struct diag diag = {.status = STATUS_OK};
    int exit_status = parse_options(&dump, argc, argv);
    if (exit_status != EXIT_DONE)
        return exit_status;
    if (dump.is_help) {
        (void)fputs(help, stdout);
        return EXIT_DONE;
    }
    struct prof_snapshot snapshot = {.profile = prof_profile_create()};
    enum status status = STATUS_OK;
    if (snapshot.profile == NULL)
        status = fail(&diag, STATUS_NO_MEMORY, "out of memory");
    if (status == STATUS_OK)
        status = take(&dump, &snapshot, &diag);
    if (status == STATUS_OK)
        status = write_stacks(&dump, &snapshot, &diag);
    exit_status = status == STATUS_OK ? remark(&snapshot) : say_failure(&diag);
    prof_profile_destroy(snapshot.profile);
    return exit_status;
}
