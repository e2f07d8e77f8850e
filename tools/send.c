/*
 * watchfire send: a ready envelope to a Sentry backend. It is kept on disk
 * first: what the backend does not take now is sent with what comes next.
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

#include "exporters/sentry/envelope_reader.h"
#include "exporters/sentry/sender.h"
#include "exporters/sentry/spool.h"

enum { FIRST_BYTES = 64 * 1024, DEFAULT_LIMIT_S = 60 };

struct send {
    const char *input, *dsn_text;
    uint64_t limit_ns;
    bool is_help;
};

static const char send_help[] =
    "Usage: watchfire send -i FILE --dsn DSN\n"
    "Send a Sentry envelope (FILE.envelope; - is standard input) to the\n"
    "backend. It is kept on disk until the backend has answered; what cannot\n"
    "be sent now, nor within days, goes along the next time. Proxies and\n"
    "certificates come from HTTP_PROXY, HTTPS_PROXY, NO_PROXY, "
    "CURL_CA_BUNDLE,\n"
    "SSL_CERT_FILE and SSL_CERT_DIR.\n"
    "\n"
    "  -i FILE       the envelope\n"
    "  --dsn DSN     where to: https://KEY@HOST/PROJECT; SENTRY_DSN unless\n"
    "                given; empty: nothing is sent\n"
    "  --limit TIME  wait no longer than that for the backend; 60s\n"
    "  -h, --help    this text\n";

enum { OPTION_DSN = 256, OPTION_LIMIT };

static const struct option long_options[] = {
    {"help", no_argument, NULL, 'h'},
    {"input", required_argument, NULL, 'i'},
    {"dsn", required_argument, NULL, OPTION_DSN},
    {"limit", required_argument, NULL, OPTION_LIMIT},
    {NULL, 0, NULL, 0}};

static int take_option(struct send *send, int option, char **argv)
{
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
    while ((option = getopt_long(argc, argv, ":i:h", long_options, NULL)) !=
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

static int run_send(const struct send *send)
{
    struct exp_dsn dsn;
    struct exp_spool *spool = NULL;
    struct exp_block content = {0};
    struct diag diag = {.status = STATUS_OK};
    enum status status = exp_dsn_parse(&dsn, send->dsn_text, &diag);
    if (status == STATUS_OK && exp_dsn_is_off(&dsn)) {
        say("the DSN is empty: nothing is sent");
        return EXIT_DONE;
    }
    if (status == STATUS_OK)
        status = read_all(send->input, &content, &diag);
    if (status == STATUS_OK)
        status = exp_spool_open_for(&spool, &dsn, &diag);
    if (status == STATUS_OK && diag.text[0] != '\0')
        say("%s", diag.text);
    if (status == STATUS_OK)
        status =
            exp_spool_add_bytes(spool, content.bytes, content.count, &diag);
    free(content.bytes);
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
    int status = parse_options(&send, argc, argv);
    if (send.is_help) {
        (void)fputs(send_help, stdout);
        return EXIT_DONE;
    }
    return status == EXIT_DONE ? run_send(&send) : status;
}
