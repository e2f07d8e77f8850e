/* The watchfire command: one file per subcommand, chosen here. */
#include "tools/tool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    tool_main *run;
    const char *summary; /* NULL: not for a person */
} commands[] = {
    {"record", record_main, "run a program and sample it"},
    {"export", export_main, "any readable profile to any format"},
    {"flamegraph", flamegraph_main, "draw a profile's flame graph"},
    {"report", report_main, "top functions, self and total; data quality"},
    {"symbolize", symbolize_main, "functions, files and lines of addresses"},
    {"dump", dump_main, "every thread's stack in a running process"},
    {"top", top_main, "live view of a running process"},
    {"send", send_main, "a profile or an envelope to a Sentry backend"},
    {"doctor", doctor_main, "what this system permits"},
    {"collect", collect_main, NULL},
};

enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

/* What a program reads that is only preloaded. */
static const char preload_help[] =
    "\n"
    "LD_PRELOAD=libwatchfire.so samples a program without any command:\n"
    "  WATCHFIRE_OUTPUT        files, separated by commas; %p pid, %e\n"
    "                          program, %t time; watchfire.%e.%p.svg\n"
    "  WATCHFIRE_SNAPSHOT      write what there is so far every 5m, or\n"
    "                          every such time, or off\n"
    "  WATCHFIRE_FREQUENCY     -F of record; 99\n"
    "  WATCHFIRE_EVENT         -e of record\n"
    "  WATCHFIRE_DURATION      -d of record\n"
    "  WATCHFIRE_MAX_OVERHEAD  --max-overhead of record; 1\n"
    "  WATCHFIRE_UNWINDER      --unwinder of record\n"
    "  WATCHFIRE_CRASHES       --crashes of record; 1, or the files' "
    "names;\n"
    "                          0: not for SENTRY_DSN either\n"
    "  WATCHFIRE_EXITS         --exits of record; 1\n"
    "  WATCHFIRE_DISABLE       set: sample nothing\n";

/* What goes to a backend. */
static const char sentry_help[] =
    "\n"
    "Whatever sends to a Sentry backend reads:\n"
    "  SENTRY_DSN              where to; empty: nothing is sent\n"
    "  SENTRY_RELEASE, SENTRY_ENVIRONMENT, SENTRY_DIST, "
    "SENTRY_SERVER_NAME\n"
    "                          what is said about the program\n"
    "  SENTRY_SAMPLE_RATE      share of the crashes that are sent; 1\n"
    "  SENTRY_PROFILE_SESSION_SAMPLE_RATE\n"
    "                          share of the programs that are profiled; 1\n"
    "  SENTRY_TAGS, WATCHFIRE_TAGS\n"
    "                          KEY=VALUE,... said with events\n"
    "  WATCHFIRE_IN_APP        patterns of what is the program's own\n"
    "  WATCHFIRE_CHUNK         a chunk of the profile every 15s\n"
    "  WATCHFIRE_SPOOL         a folder to keep in what is not answered "
    "yet;\n"
    "                          $XDG_STATE_HOME/watchfire/spool\n"
    "  WATCHFIRE_CRASH_PAUSE   the same crash is not sent again for so\n"
    "                          long, and counted; 10m\n"
    "  SENTRY_SEND_DEFAULT_PII 1: names of users and machines, and\n"
    "                          arguments, may be sent\n"
    "  SENTRY_TRACES_SAMPLE_RATE\n"
    "                          share of the transactions that are "
    "reported; 0\n"
    "  SENTRY_PROFILE_LIFECYCLE\n"
    "                          trace: sample only while a transaction\n"
    "                          is open; manual\n"
    "  WATCHFIRE_SHUTDOWN_TIMEOUT, SENTRY_SHUTDOWN_TIMEOUT\n"
    "                          wait for the backend at the end; 2s\n";

/* What gives names. */
static const char names_help[] =
    "\n"
    "Whatever gives names to code reads:\n"
    "  WATCHFIRE_CACHE         a folder for what was read, or off;\n"
    "                          $XDG_CACHE_HOME/watchfire\n"
    "  WATCHFIRE_DEBUGINFOD    1: have DEBUGINFOD_URLS asked for debug\n"
    "                          files, in the background, for the next "
    "time";

static void print_help(void)
{
    (void)puts("Usage: watchfire COMMAND [OPTION]...\n"
               "A sampling profiler for native Linux programs.\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (commands[i].summary != NULL)
            (void)printf("  %-12s%s\n", commands[i].name, commands[i].summary);
    }
    (void)puts("\n'watchfire COMMAND --help' lists a command's options.");
    (void)fputs(preload_help, stdout);
    (void)fputs(sentry_help, stdout);
    (void)puts(names_help);
}

static int run(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 ||
        strcmp(name, "help") == 0) {
        print_help();
        return EXIT_DONE;
    }
    if (strcmp(name, "--version") == 0) {
        (void)puts("watchfire " WATCHFIRE_VERSION);
        return EXIT_DONE;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(name, commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    if (*name == '\0')
        say("there is no command; 'watchfire --help' lists them");
    else
        say("'%s' is not a command; 'watchfire --help' lists them", name);
    return EXIT_USAGE;
}

/* What was printed and did not arrive is a failure too. */
int main(int argc, char **argv)
{
    int status = run(argc, argv);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    say("cannot write 'standard output': %s", strerror(errno));
    return status == EXIT_DONE ? EXIT_FAILED : status;
}
