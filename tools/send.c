/*
 * watchfire send: a ready envelope or a recorded profile to a Sentry backend.
 * It is kept on disk first: what the backend does not take now is sent with
 * what comes next.
 */
#include "tools/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exporters/sentry/chunk_spool.h"
#include "exporters/sentry/envelope_reader.h"
#include "exporters/sentry/sender.h"
#include "exporters/sentry/spool.h"
#include "exporters/sentry/timeline.h"
#include "tools/sentry_settings.h"

#define DEFAULT_HZ "100"

enum { FIRST_BYTES = 64 * 1024, DEFAULT_LIMIT_S = 60 };

struct send {
    const char *input, *dsn_text;
    struct exp_scope scope;
    uint64_t limit_ns;
    uint64_t period_ns; /* that a count stands for; 0: not said */
    bool is_help;
};

static const char send_help[] =
    "Usage: watchfire send -i FILE --dsn DSN\n"
    "Send a profile (perf.data or folded stacks) or an envelope (- is "
    "standard\n"
    "input) to a Sentry backend. It is kept on disk until the backend has\n"
    "answered; what cannot be sent now goes along the next time, for days.\n"
    "Proxies and certificates come from HTTP_PROXY, HTTPS_PROXY, NO_PROXY,\n"
    "CURL_CA_BUNDLE, SSL_CERT_FILE and SSL_CERT_DIR.\n"
    "\n"
    "  -i, --input FILE the profile or the envelope\n"
    "  --dsn DSN        where to: https://KEY@HOST/PROJECT; SENTRY_DSN unless\n"
    "                   given; empty: nothing is sent\n"
    "  --release R      of the program, as NAME@VERSION; SENTRY_RELEASE, or\n"
    "                   the build-id of the program\n"
    "  --environment E  SENTRY_ENVIRONMENT, or production\n"
    "  --dist D         SENTRY_DIST\n"
    "  --tag KEY=VALUE  repeatable; SENTRY_TAGS, WATCHFIRE_TAGS\n"
    "  --unit UNIT      what the counts of folded stacks are: ns or samples;\n"
    "                   samples, unless those were more than a week\n"
    "  -F, --frequency HZ\n"
    "                   samples a second, of such; 100\n"
    "  --limit TIME     wait no longer than that for the backend; 60s\n"
    "  -h, --help       this text\n"
    "\n"
    "An envelope is sent as it is: it says these things itself.\n";

enum {
    OPTION_DSN = 256,
    OPTION_LIMIT,
    OPTION_RELEASE,
    OPTION_ENVIRONMENT,
    OPTION_DIST,
    OPTION_TAG,
    OPTION_UNIT,
};

static const struct option long_options[] = {
    {"help", no_argument, NULL, 'h'},
    {"input", required_argument, NULL, 'i'},
    {"dsn", required_argument, NULL, OPTION_DSN},
    {"limit", required_argument, NULL, OPTION_LIMIT},
    {"release", required_argument, NULL, OPTION_RELEASE},
    {"environment", required_argument, NULL, OPTION_ENVIRONMENT},
    {"dist", required_argument, NULL, OPTION_DIST},
    {"tag", required_argument, NULL, OPTION_TAG},
    {"unit", required_argument, NULL, OPTION_UNIT},
    {"frequency", required_argument, NULL, 'F'},
    {NULL, 0, NULL, 0}};

static int take_unit(struct send *send, const char *text)
{
    enum exp_unit unit;
    if (!parse_unit(text, &unit))
        return say_usage("send", "--unit %s is neither ns nor samples", text);
    if (unit == EXP_UNIT_VALUE)
        send->period_ns = 1;
    else if (send->period_ns == 0)
        (void)parse_frequency(DEFAULT_HZ, &send->period_ns);
    return EXIT_DONE;
}

static int take_option(struct send *send, int option, char **argv)
{
    struct diag diag;
    switch (option) {
    case 'h':
        send->is_help = true;
        return EXIT_DONE;
    case 'i':
        send->input = optarg;
        return EXIT_DONE;
    case OPTION_DSN:
        send->dsn_text = optarg;
        return EXIT_DONE;
    case OPTION_RELEASE:
        send->scope.release = optarg;
        return EXIT_DONE;
    case OPTION_ENVIRONMENT:
        send->scope.environment = optarg;
        return EXIT_DONE;
    case OPTION_DIST:
        send->scope.dist = optarg;
        return EXIT_DONE;
    case OPTION_UNIT:
        return take_unit(send, optarg);
    case 'F':
        if (parse_frequency(optarg, &send->period_ns))
            return EXIT_DONE;
        return say_usage("send", "-F %s is not a rate from 1 to 20000", optarg);
    case OPTION_TAG:
        if (sentry_settings_add_tags(&send->scope, optarg, &diag) == STATUS_OK)
            return EXIT_DONE;
        return say_usage("send", "%s", diag.text);
    case OPTION_LIMIT:
        if (parse_duration(optarg, &send->limit_ns))
            return EXIT_DONE;
        return say_usage("send", "--limit %s is no time, as 10s is", optarg);
    case ':':
        return say_usage("send", "%s wants an argument", argv[optind - 1]);
    default:
        return say_usage("send", "%s is not an option", argv[optind - 1]);
    }
}

static int parse_options(struct send *send, int argc, char **argv)
{
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":i:F:h", long_options, NULL)) !=
           -1) {
        int status = take_option(send, option, argv);
        if (status != EXIT_DONE || send->is_help)
            return status;
    }
    if (optind < argc)
        return say_usage("send", "'%s' is not an option", argv[optind]);
    if (send->input == NULL)
        return say_usage("send", "there is no -i FILE");
    if (send->dsn_text == NULL)
        return say_usage("send", "there is no --dsn, and no SENTRY_DSN");
    return EXIT_DONE;
}

static enum status read_all(
    const char *path, struct exp_block *content, struct diag *diag)
{
    struct exp_block made = {0};
    size_t room = 0;
    int fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                                    : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(diag, STATUS_SYSTEM, "cannot open '%s'", path);
    enum status status = STATUS_OK;
    ssize_t got = 1;
    while (status == STATUS_OK && got != 0) {
        if (made.count == room) {
            room = room > 0 ? room * 2 : FIRST_BYTES;
            char *bytes = room <= 2 * EXP_ENVELOPE_BYTES_MAX
                              ? realloc(made.bytes, room)
                              : NULL;
            if (bytes == NULL) {
                status = fail(
                    diag, STATUS_LIMIT, "'%s' is too large for a backend",
                    path);
                break;
            }
            made.bytes = bytes;
        }
        got = read(fd, made.bytes + made.count, room - made.count);
        if (got < 0 && errno != EINTR)
            status = fail(diag, STATUS_SYSTEM, "cannot read '%s'", path);
        made.count += got > 0 ? (size_t)got : 0;
    }
    (void)close(fd);
    if (status == STATUS_OK)
        *content = made;
    else
        free(made.bytes);
    return status;
}

/* What was said in the name of the backend, and the exit status of that. */
static int say_result(
    const struct exp_sender_state *state, const struct exp_spool *spool,
    bool is_drained)
{
    uint64_t sent = state->counts[EXP_FATE_SENT];
    uint64_t refused =
        state->counts[EXP_FATE_REFUSED] + state->counts[EXP_FATE_LIMITED];
    if (!is_drained) {
        say("not sent yet, kept in '%s': %s", exp_spool_path(spool),
            state->problem[0] != '\0' ? state->problem
                                      : "the backend takes its time");
        return EXIT_FAILED;
    }
    if (refused > 0) {
        say("sent %" PRIu64 ", given up %" PRIu64 ": %s", sent, refused,
            state->problem[0] != '\0' ? state->problem
                                      : "a rate limit is in force");
        return EXIT_FAILED;
    }
    say("sent %" PRIu64 " envelope%s", sent, sent == 1 ? "" : "s");
    return EXIT_DONE;
}

static int drain(
    const struct send *send, const struct exp_dsn *dsn, struct exp_spool *spool)
{
    const struct exp_sender_options options = {.dsn = dsn, .spool = spool};
    struct exp_sender_state state;
    struct exp_sender *sender;
    struct diag diag;
    if (exp_sender_start(&sender, &options, &diag) != STATUS_OK)
        return say_failure(&diag);
    bool is_drained =
        exp_sender_finish(sender, send->limit_ns / 1000000, &state);
    return say_result(&state, spool, is_drained);
}

/* What the counts of folded stacks stand for. */
static void settle_counts(const struct send *send, struct prof_profile *profile)
{
    uint64_t assumed_ns = exp_timeline_assumed_ns(profile);
    if (assumed_ns == 0)
        return;
    if (send->period_ns != 0)
        prof_profile_origin(profile)->period_ns = send->period_ns;
    else
        say("the counts of '%s' are taken for %s; --unit or -F says otherwise",
            send->input, exp_timeline_assumed_text(assumed_ns));
}

static enum status keep_profile(
    const struct send *send, struct exp_spool *spool, struct diag *diag)
{
    struct prof_profile *profile;
    enum status status = load_profile(&profile, send->input, diag);
    if (status != STATUS_OK)
        return status;
    settle_counts(send, profile);
    status = exp_chunks_of_profile(
        profile, &send->scope, exp_chunk_spool, spool, diag);
    prof_profile_destroy(profile);
    return status;
}

/* An envelope begins with an object of JSON, and no profile does. */
static enum status keep_input(
    const struct send *send, struct exp_spool *spool, struct diag *diag)
{
    struct exp_block content = {0};
    enum status status = read_all(send->input, &content, diag);
    if (status != STATUS_OK)
        return status;
    bool is_standard_input = strcmp(send->input, "-") == 0;
    if (is_standard_input || (content.count > 0 && content.bytes[0] == '{'))
        status = exp_spool_add_bytes(spool, content.bytes, content.count, diag);
    else
        status = keep_profile(send, spool, diag);
    free(content.bytes);
    return status;
}

static int run_send(const struct send *send)
{
    struct exp_dsn dsn;
    struct exp_spool *spool = NULL;
    struct diag diag = {.status = STATUS_OK};
    enum status status = exp_dsn_parse(&dsn, send->dsn_text, &diag);
    if (status == STATUS_OK && exp_dsn_is_off(&dsn)) {
        say("the DSN is empty: nothing is sent");
        return EXIT_DONE;
    }
    if (status == STATUS_OK)
        status = exp_spool_open_for(&spool, &dsn, &diag);
    if (status == STATUS_OK && diag.text[0] != '\0')
        say("%s", diag.text);
    if (status == STATUS_OK)
        status = keep_input(send, spool, &diag);
    int result =
        status == STATUS_OK ? drain(send, &dsn, spool) : say_failure(&diag);
    exp_spool_close(spool);
    return result;
}

int send_main(int argc, char **argv)
{
    struct send send = {
        .dsn_text = getenv("SENTRY_DSN"),
        .limit_ns = DEFAULT_LIMIT_S * UINT64_C(1000000000)};
    struct diag diag;
    if (sentry_settings_read_scope(&send.scope, &diag) != STATUS_OK)
        return say_failure(&diag);
    int status = parse_options(&send, argc, argv);
    if (send.is_help) {
        (void)fputs(send_help, stdout);
        return EXIT_DONE;
    }
    return status == EXIT_DONE ? run_send(&send) : status;
}
