/*
 * Sends what a spool holds.
 *
 * One pass takes the envelopes in the spool's order. Each is claimed, delivered
 * and settled on disk by its answer (delivery.c) before the next. A pass ends
 * at the first one that gets no answer: the rest would fail alike. The next
 * begins behind that one, so that an envelope which a proxy cannot bear, say,
 * is met last.
 */
#include "exporters/sentry/sender.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "exporters/sentry/spool_model.h"
#include "profiler/base/clock.h"

enum { FIRST_PAUSE_MS = 2000, LAST_PAUSE_MS = 5 * 60 * 1000, LIMIT_MS = 2000 };

struct exp_sender {
    struct exp_dsn dsn;
    struct exp_sender_options options;
    pthread_t thread;
    struct exp_transport *transport; /* NULL until there is something to send */
    char failed[SPOOL_NAME_BYTES];   /* the one that got no answer last */
    uint32_t pause_ms;               /* 0: the last attempt was answered */

    pthread_mutex_t mutex; /* over what follows */
    pthread_cond_t changed;
    bool is_woken;
    bool is_finishing; /* one more pass, and then the end */
    bool is_stopping;  /* the end, now */
    bool is_ended;
    bool is_drained; /* when it ended: nothing was left */
    struct exp_sender_state state;
};

/* What a pass came to. */
enum pass {
    PASS_DRAINED,
    PASS_FAILED, /* no answer */
    PASS_STOPPED,
};

static void say(struct exp_sender *sender, const char *problem)
{
    (void)pthread_mutex_lock(&sender->mutex);
    (void)snprintf(
        sender->state.problem, sizeof sender->state.problem, "%s", problem);
    (void)pthread_mutex_unlock(&sender->mutex);
}

static bool is_stopping(struct exp_sender *sender)
{
    (void)pthread_mutex_lock(&sender->mutex);
    bool is_it = sender->is_stopping;
    (void)pthread_mutex_unlock(&sender->mutex);
    return is_it;
}

/* No answer: how long to leave the backend alone, unless it says itself. */
static void lengthen_pause(struct exp_sender *sender, uint64_t asked_ms)
{
    const struct exp_sender_options *options = &sender->options;
    uint64_t pause_ms = (uint64_t)sender->pause_ms * 2;
    if (pause_ms == 0)
        pause_ms = options->first_pause_ms;
    if (asked_ms > pause_ms)
        pause_ms = asked_ms;
    sender->pause_ms = pause_ms < options->last_pause_ms
                           ? (uint32_t)pause_ms
                           : options->last_pause_ms;
}

/* See to one envelope; false when there was no answer. */
static bool send_claimed(
    struct exp_sender *sender, const char *name,
    const struct exp_block *content)
{
    struct exp_outcome outcome;
    exp_deliver(
        sender->options.spool, sender->transport, name, content, &outcome);
    if (!outcome.is_answered && is_stopping(sender))
        return false;
    if (outcome.is_answered) {
        sender->pause_ms = 0;
    } else {
        lengthen_pause(sender, outcome.wait_ms);
        (void)snprintf(sender->failed, sizeof sender->failed, "%s", name);
    }
    (void)pthread_mutex_lock(&sender->mutex);
    if (outcome.is_answered)
        sender->state.counts[outcome.fate]++;
    else
        sender->state.failures++;
    (void)pthread_mutex_unlock(&sender->mutex);
    if (outcome.problem[0] != '\0')
        say(sender, outcome.problem);
    return outcome.is_answered;
}

/* Load what is needed to send at all. */
static bool open_transport(struct exp_sender *sender)
{
    struct diag diag;
    struct exp_transport *made;
    if (sender->transport != NULL)
        return true;
    if (exp_transport_open(
            &made, &sender->dsn, &sender->options.limits, &diag) != STATUS_OK) {
        say(sender, diag.text);
        sender->pause_ms = sender->options.last_pause_ms;
        return false;
    }
    (void)pthread_mutex_lock(&sender->mutex);
    sender->transport = made;
    bool is_stopped = sender->is_stopping;
    (void)pthread_mutex_unlock(&sender->mutex);
    return !is_stopped;
}

/* Where to begin: behind the one that got no answer last. */
static uint32_t find_start(
    const struct exp_sender *sender, const struct spool_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (strcmp(list->entries[i].name, sender->failed) == 0)
            return (i + 1) % list->count;
    }
    return 0;
}

static enum pass run_pass(struct exp_sender *sender)
{
    struct spool_list list;
    struct exp_spool *spool = sender->options.spool;
    enum pass pass = PASS_DRAINED;
    spool_keep_caps(spool);
    if (spool_list_read(spool, &list) != STATUS_OK)
        return PASS_FAILED;
    uint32_t start = find_start(sender, &list);
    if (list.count > 0 && !open_transport(sender))
        pass = PASS_FAILED;
    for (uint32_t i = 0; i < list.count && pass == PASS_DRAINED; i++) {
        const char *name = list.entries[(start + i) % list.count].name;
        struct exp_block content;
        int file;
        if (is_stopping(sender)) {
            pass = PASS_STOPPED;
        } else if (spool_claim(spool, name, &file, &content)) {
            if (!send_claimed(sender, name, &content))
                pass = PASS_FAILED;
            free(content.bytes);
            spool_release(file);
        }
    }
    spool_list_fini(&list);
    return pass;
}

/* Up to a quarter more or less, so that those who failed together part. */
static uint64_t jitter(uint64_t pause_ms)
{
    uint64_t noise = clock_now_ns(CLOCK_MONOTONIC) >> 4;
    return pause_ms * 3 / 4 + noise % (pause_ms / 2 + 1);
}

/* Wait for work, or until a pause is over; false when it is the end. */
static bool wait_for_work(struct exp_sender *sender, bool has_failed)
{
    uint64_t until_ns =
        clock_now_ns(CLOCK_MONOTONIC) + jitter(sender->pause_ms) * 1000000;
    const struct timespec until = {
        .tv_sec = (time_t)(until_ns / 1000000000),
        .tv_nsec = (long)(until_ns % 1000000000)};
    (void)pthread_mutex_lock(&sender->mutex);
    bool is_over = false;
    while (!sender->is_stopping && !sender->is_finishing && !is_over) {
        if (has_failed)
            is_over = pthread_cond_timedwait(
                          &sender->changed, &sender->mutex, &until) != 0;
        else if (sender->is_woken)
            is_over = true;
        else
            (void)pthread_cond_wait(&sender->changed, &sender->mutex);
    }
    sender->is_woken = false;
    bool goes_on = !sender->is_stopping && !sender->is_finishing;
    (void)pthread_mutex_unlock(&sender->mutex);
    return goes_on;
}

static void *run(void *context)
{
    struct exp_sender *sender = context;
    enum pass pass;
    do
        pass = run_pass(sender);
    while (wait_for_work(sender, pass == PASS_FAILED));
    if (!is_stopping(sender))
        pass = run_pass(sender);
    (void)pthread_mutex_lock(&sender->mutex);
    sender->is_ended = true;
    sender->is_drained = pass == PASS_DRAINED;
    (void)pthread_cond_broadcast(&sender->changed);
    (void)pthread_mutex_unlock(&sender->mutex);
    return NULL;
}

static enum status start_thread(struct exp_sender *sender)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&sender->thread, NULL, run, sender);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure == 0 ? STATUS_OK : STATUS_NO_MEMORY;
}

enum status exp_sender_start(
    struct exp_sender **sender, const struct exp_sender_options *options,
    struct diag *diag)
{
    pthread_condattr_t attributes;
    struct exp_sender *made = calloc(1, sizeof *made);
    if (made == NULL)
        return fail(diag, STATUS_NO_MEMORY, "out of memory");
    made->dsn = *options->dsn;
    made->options = *options;
    made->options.dsn = &made->dsn;
    if (made->options.first_pause_ms == 0)
        made->options.first_pause_ms = FIRST_PAUSE_MS;
    if (made->options.last_pause_ms == 0)
        made->options.last_pause_ms = LAST_PAUSE_MS;
    (void)pthread_mutex_init(&made->mutex, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&made->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    if (start_thread(made) != STATUS_OK) {
        (void)pthread_cond_destroy(&made->changed);
        (void)pthread_mutex_destroy(&made->mutex);
        free(made);
        return fail(diag, STATUS_NO_MEMORY, "cannot start a thread to send");
    }
    *sender = made;
    return STATUS_OK;
}

void exp_sender_wake(struct exp_sender *sender)
{
    (void)pthread_mutex_lock(&sender->mutex);
    sender->is_woken = true;
    (void)pthread_cond_broadcast(&sender->changed);
    (void)pthread_mutex_unlock(&sender->mutex);
}

void exp_sender_state(struct exp_sender *sender, struct exp_sender_state *state)
{
    (void)pthread_mutex_lock(&sender->mutex);
    *state = sender->state;
    (void)pthread_mutex_unlock(&sender->mutex);
}

bool exp_sender_finish(
    struct exp_sender *sender, uint64_t limit_ms,
    struct exp_sender_state *state)
{
    if (sender == NULL)
        return true;
    uint64_t until_ns = clock_now_ns(CLOCK_MONOTONIC) + limit_ms * 1000000;
    const struct timespec until = {
        .tv_sec = (time_t)(until_ns / 1000000000),
        .tv_nsec = (long)(until_ns % 1000000000)};
    (void)pthread_mutex_lock(&sender->mutex);
    sender->is_finishing = true;
    (void)pthread_cond_broadcast(&sender->changed);
    int failure = 0;
    while (!sender->is_ended && failure == 0)
        failure =
            pthread_cond_timedwait(&sender->changed, &sender->mutex, &until);
    sender->is_stopping = true;
    if (sender->transport != NULL)
        exp_transport_stop(sender->transport);
    (void)pthread_mutex_unlock(&sender->mutex);
    (void)pthread_join(sender->thread, NULL);
    bool is_drained = sender->is_drained;
    if (state != NULL)
        *state = sender->state;
    exp_transport_close(sender->transport);
    (void)pthread_cond_destroy(&sender->changed);
    (void)pthread_mutex_destroy(&sender->mutex);
    free(sender);
    return is_drained;
}

uint64_t exp_sender_limit_ms(void)
{
    const char *text = getenv("WATCHFIRE_SHUTDOWN_TIMEOUT");
    if (text == NULL || text[0] == '\0')
        text = getenv("SENTRY_SHUTDOWN_TIMEOUT");
    if (text == NULL || text[0] == '\0')
        return LIMIT_MS;
    char *end;
    double seconds = strtod(text, &end);
    if (*end == 's')
        end++;
    return *end == '\0' && seconds >= 0 && seconds <= 3600
               ? (uint64_t)(seconds * 1000)
               : LIMIT_MS;
}
