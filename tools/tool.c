/* What the subcommands share. */
#include "tools/tool.h"

#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>

enum { FREQUENCY_MAX_HZ = 20000 };

static void say_list(const char *format, va_list args)
{
    char line[TOOL_TEXT_BYTES];
    int used = snprintf(line, sizeof line, "watchfire: ");
    int more = vsnprintf(line + used, sizeof line - (size_t)used, format, args);
    size_t length = (size_t)used + (more > 0 ? (size_t)more : 0);
    if (length > sizeof line - 2)
        length = sizeof line - 2;
    line[length] = '\n';
    /* One write: lines of the program and of ours do not mix. */
    (void)fwrite(line, 1, length + 1, stderr);
}

void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say_list(format, args);
    va_end(args);
}

void say_text(const char *text)
{
    say("%s", text);
}

int say_failure(const struct diag *diag)
{
    say("%s", diag->text);
    return diag->status == STATUS_USAGE ? EXIT_USAGE : EXIT_FAILED;
}

int say_usage(const char *command, const char *format, ...)
{
    char sentence[TOOL_TEXT_BYTES / 2];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    say("%s; 'watchfire %s --help' lists the options", sentence, command);
    return EXIT_USAGE;
}

bool parse_frequency(const char *text, uint64_t *period_ns)
{
    char *end;
    double hz = strtod(text, &end);
    if (end == text || *end != '\0' || !(hz >= 1 && hz <= FREQUENCY_MAX_HZ))
        return false;
    *period_ns = (uint64_t)llround(1e9 / hz);
    return true;
}

bool parse_overhead(const char *text, double *share)
{
    char *end;
    double percent = strtod(text, &end);
    if (end != text && *end == '%')
        end++;
    if (end == text || *end != '\0' || !(percent >= 0.1 && percent <= 100))
        return false;
    *share = percent / 100;
    return true;
}

bool parse_duration(const char *text, uint64_t *duration_ns)
{
    static const struct {
        const char *suffix;
        double seconds;
    } units[] = {{"", 1},   {"s", 1},    {"ms", 1e-3},
                 {"m", 60}, {"min", 60}, {"h", 3600}};
    char *end;
    double value = strtod(text, &end);
    if (end == text)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].suffix) != 0)
            continue;
        double ns = value * units[i].seconds * 1e9;
        if (!(ns >= 1 && ns < 1e18))
            return false;
        *duration_ns = (uint64_t)ns;
        return true;
    }
    return false;
}

bool parse_unit(const char *text, enum exp_unit *unit)
{
    if (strcmp(text, "ns") == 0)
        *unit = EXP_UNIT_VALUE;
    else if (strcmp(text, "samples") == 0)
        *unit = EXP_UNIT_SAMPLES;
    else
        return false;
    return true;
}

bool parse_unwinder(const char *text, bool *is_reference)
{
    *is_reference = strcmp(text, "libunwind") == 0;
    return *is_reference || strcmp(text, "cfi") == 0;
}

int take_ending_signals(void)
{
    sigset_t ends;
    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGINT);
    (void)sigaddset(&ends, SIGTERM);
    (void)sigaddset(&ends, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &ends, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
}
