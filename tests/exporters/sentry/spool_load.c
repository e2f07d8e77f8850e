/*
 * A process to be killed: it fills or empties a spool, for ever.
 *
 *     spool_load add FOLDER LOG    add sessions; the id of each is appended to
 *                                  LOG once exp_spool_add() has returned
 *     spool_load add-many FOLDER LOG    the same, several at once
 *     spool_load send FOLDER DSN   send them
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "exporters/sentry/envelope.h"
#include "exporters/sentry/id.h"
#include "exporters/sentry/sender.h"
#include "exporters/sentry/spool.h"

enum { MANY = 5 };

static void rest(long ms)
{
    const struct timespec pause = {.tv_nsec = ms * 1000 * 1000};
    (void)nanosleep(&pause, NULL);
}

static int complain(const struct diag *diag)
{
    (void)fprintf(stderr, "spool_load: %s\n", diag->text);
    return 1;
}

/* A session of its own id, which is written to `id`. */
static struct exp_envelope *make_session(char id[static EXP_ID_BYTES])
{
    char session[512];
    (void)snprintf(
        session, sizeof session,
        "{\"sid\":\"%s\",\"init\":true,\"status\":\"exited\","
        "\"started\":\"2026-01-01T00:00:00.000Z\","
        "\"timestamp\":\"2026-01-01T00:00:01.000Z\","
        "\"attrs\":{\"release\":\"spool_load@1\"}}",
        exp_id_make(id));
    id[EXP_ID_BYTES - 1] = '\n';
    struct exp_envelope *envelope = exp_envelope_create(NULL);
    exp_envelope_add(
        envelope, EXP_ITEM_SESSION, NULL, 0, session, strlen(session));
    return envelope;
}

static int add_forever(struct exp_spool *spool, uint32_t count, const char *log)
{
    int fd = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    for (;;) {
        struct diag diag = {.status = STATUS_OK};
        struct exp_envelope *envelopes[MANY];
        char ids[MANY][EXP_ID_BYTES];
        for (uint32_t i = 0; i < count; i++)
            envelopes[i] = make_session(ids[i]);
        uint32_t kept = count;
        if (count > 1)
            kept = exp_spool_add_many(spool, envelopes, count);
        else if (exp_spool_add(spool, envelopes[0], &diag) != STATUS_OK)
            return complain(&diag);
        if (kept != count)
            return 1;
        for (uint32_t i = 0; i < count; i++)
            exp_envelope_destroy(envelopes[i]);
        ssize_t bytes = (ssize_t)(count * sizeof ids[0]);
        if (write(fd, ids, (size_t)bytes) != bytes)
            return 1;
        rest(4 * count);
    }
}

static int send_forever(struct exp_spool *spool, const char *dsn_text)
{
    struct exp_dsn dsn;
    struct exp_sender *sender;
    struct diag diag;
    const struct exp_sender_options options = {
        .dsn = &dsn, .spool = spool, .first_pause_ms = 5, .last_pause_ms = 20};
    if (exp_dsn_parse(&dsn, dsn_text, &diag) != STATUS_OK ||
        exp_sender_start(&sender, &options, &diag) != STATUS_OK)
        return complain(&diag);
    for (;;) {
        rest(5);
        exp_sender_wake(sender);
    }
}

int main(int argc, char **argv)
{
    struct exp_spool *spool;
    struct diag diag;
    if (argc != 4)
        return 2;
    if (exp_spool_open(&spool, argv[2], NULL, &diag) != STATUS_OK)
        return complain(&diag);
    if (strcmp(argv[1], "send") == 0)
        return send_forever(spool, argv[3]);
    return add_forever(
        spool, strcmp(argv[1], "add-many") == 0 ? MANY : 1, argv[3]);
}
