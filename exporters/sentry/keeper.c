/* Puts envelopes into a spool, in a thread of its own. */
#include "exporters/sentry/keeper.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "exporters/sentry/envelope.h"
#include "exporters/sentry/envelope_reader.h"
#include "exporters/sentry/sender.h"
#include "exporters/sentry/spool.h"

enum { QUEUE_MAX = 1024 };

struct exp_keeper {
    struct exp_spool *spool;
    struct exp_sender *sender;
    pthread_t thread;

    pthread_mutex_t mutex; /* over what follows */
    pthread_cond_t changed;
    struct exp_envelope *queue[QUEUE_MAX]; /* a ring */
    unsigned first, count;
    struct exp_discards lost; /* what did not fit */
    bool is_ending;
};

static void count_lost(struct exp_keeper *keeper, struct exp_envelope *envelope)
{
    size_t bytes = 0;
    const char *text = exp_envelope_bytes(envelope, &bytes);
    if (text == NULL || exp_discards_add_envelope(
                            &keeper->lost, EXP_DISCARD_QUEUE_OVERFLOW, text,
                            bytes) != STATUS_OK)
        keeper->lost.counts[EXP_DISCARD_QUEUE_OVERFLOW][EXP_CATEGORY_DEFAULT]++;
}

/* The next ones, and what was lost so far; 0 when it is the end. */
static uint32_t take(
    struct exp_keeper *keeper,
    struct exp_envelope *envelopes[static EXP_SPOOL_MANY],
    struct exp_discards *lost)
{
    uint32_t taken = 0;
    (void)pthread_mutex_lock(&keeper->mutex);
    while (keeper->count == 0 && !keeper->is_ending)
        (void)pthread_cond_wait(&keeper->changed, &keeper->mutex);
    while (keeper->count > 0 && taken < EXP_SPOOL_MANY) {
        envelopes[taken++] = keeper->queue[keeper->first];
        keeper->first = (keeper->first + 1) % QUEUE_MAX;
        keeper->count--;
    }
    *lost = keeper->lost;
    keeper->lost = (struct exp_discards){0};
    (void)pthread_mutex_unlock(&keeper->mutex);
    return taken;
}

static void *run(void *context)
{
    struct exp_keeper *keeper = context;
    struct exp_envelope *envelopes[EXP_SPOOL_MANY];
    struct exp_discards lost;
    uint32_t count;
    do {
        count = take(keeper, envelopes, &lost);
        if (!exp_discards_is_empty(&lost))
            exp_spool_count_discards(keeper->spool, &lost);
        if (count > 0 &&
            exp_spool_add_many(keeper->spool, envelopes, count) > 0)
            exp_sender_wake(keeper->sender);
        for (uint32_t i = 0; i < count; i++)
            exp_envelope_destroy(envelopes[i]);
    } while (count > 0);
    return NULL;
}

struct exp_keeper *exp_keeper_start(
    struct exp_spool *spool, struct exp_sender *sender)
{
    sigset_t all, before;
    struct exp_keeper *keeper = calloc(1, sizeof *keeper);
    if (keeper == NULL)
        return NULL;
    keeper->spool = spool;
    keeper->sender = sender;
    (void)pthread_mutex_init(&keeper->mutex, NULL);
    (void)pthread_cond_init(&keeper->changed, NULL);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&keeper->thread, NULL, run, keeper);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure != 0) {
        (void)pthread_cond_destroy(&keeper->changed);
        (void)pthread_mutex_destroy(&keeper->mutex);
        free(keeper);
        return NULL;
    }
    return keeper;
}

void exp_keeper_adopt(struct exp_keeper *keeper, struct exp_envelope *envelope)
{
    (void)pthread_mutex_lock(&keeper->mutex);
    if (keeper->count < QUEUE_MAX) {
        unsigned last = (keeper->first + keeper->count) % QUEUE_MAX;
        keeper->queue[last] = envelope;
        keeper->count++;
        envelope = NULL;
    } else {
        count_lost(keeper, envelope);
    }
    (void)pthread_cond_signal(&keeper->changed);
    (void)pthread_mutex_unlock(&keeper->mutex);
    exp_envelope_destroy(envelope);
}

void exp_keeper_finish(struct exp_keeper *keeper)
{
    if (keeper == NULL)
        return;
    (void)pthread_mutex_lock(&keeper->mutex);
    keeper->is_ending = true;
    (void)pthread_cond_signal(&keeper->changed);
    (void)pthread_mutex_unlock(&keeper->mutex);
    (void)pthread_join(keeper->thread, NULL);
    (void)pthread_cond_destroy(&keeper->changed);
    (void)pthread_mutex_destroy(&keeper->mutex);
    free(keeper);
}
