/*
 * Every allocation fails once on the way of an envelope into the spool and out
 * again: it is kept whole or not at all, and nothing leaks. The linker sends
 * malloc and its kin here.
 */
#include "tests/harness.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exporters/sentry/envelope.h"
#include "exporters/sentry/request.h"
#include "exporters/sentry/spool.h"
#include "exporters/sentry/spool_model.h"

static long allowed = -1; /* allocations until one fails; negative: no limit */

static bool is_refused(void)
{
    return allowed >= 0 && allowed-- == 0;
}

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *block, size_t bytes);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *block, size_t bytes);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t bytes)
{
    return is_refused() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return is_refused() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *block, size_t bytes)
{
    return is_refused() ? NULL : __real_realloc(block, bytes);
}

char *__wrap_strdup(const char *text)
{
    return is_refused() ? NULL : __real_strdup(text);
}

static enum status add(const char *folder)
{
    static const struct exp_header trace[] = {{"trace_id", "a"}};
    struct exp_spool *spool;
    struct diag diag;
    enum status status = exp_spool_open(&spool, folder, NULL, &diag);
    if (status != STATUS_OK)
        return status;
    struct exp_envelope *envelope = exp_envelope_create(NULL);
    status = STATUS_NO_MEMORY;
    if (envelope != NULL) {
        char payload[200000];
        memset(payload, 'x', sizeof payload);
        exp_envelope_set_trace(envelope, trace, 1);
        exp_envelope_add(
            envelope, EXP_ITEM_SESSION, NULL, 0, payload, sizeof payload);
        status = exp_spool_add(spool, envelope, &diag);
    }
    exp_envelope_destroy(envelope);
    exp_spool_close(spool);
    return status;
}

/* Take the one envelope out; NO_MEMORY when that could not be done. */
static enum status take(struct exp_spool *spool)
{
    static const struct exp_rate_limits no_limits;
    struct exp_discards discards = {0};
    struct spool_list list;
    struct exp_request request;
    struct exp_block content;
    int file;
    discards.counts[EXP_DISCARD_SEND_ERROR][EXP_CATEGORY_ERROR] = 1;
    if (spool_list_read(spool, &list) != STATUS_OK)
        return STATUS_NO_MEMORY;
    enum status status = STATUS_NO_MEMORY;
    if (spool_claim(spool, list.entries[0].name, &file, &content)) {
        status = exp_request_make(&request, &content, &no_limits, &discards, 1);
        /* A report that there was no memory for goes another time. */
        if (status == STATUS_OK) {
            if (exp_discards_is_empty(&request.report))
                status = STATUS_NO_MEMORY;
            exp_request_fini(&request);
        }
        free(content.bytes);
        spool_release(file);
    }
    spool_list_fini(&list);
    return status;
}

static void empty(const char *folder)
{
    DIR *stream = opendir(folder);
    const struct dirent *entry;
    CHECK(stream != NULL);
    while ((entry = readdir(stream)) != NULL)
        (void)unlinkat(dirfd(stream), entry->d_name, 0);
    (void)closedir(stream);
    CHECK_OK(rmdir(folder));
}

TEST(spool_survives_every_failing_allocation)
{
    char folder[] = "/tmp/watchfire-memory-XXXXXX";
    struct exp_spool *spool;
    CHECK(mkdtemp(folder) != NULL);
    CHECK_OK(exp_spool_open(&spool, folder, NULL, NULL));
    enum status status = STATUS_NO_MEMORY;
    long limit = 0;
    for (; status != STATUS_OK && limit < 1000; limit++) {
        CHECK_EQ(exp_spool_count(spool), 0);
        allowed = limit;
        status = add(folder);
        allowed = -1;
        CHECK(
            status == STATUS_OK || status == STATUS_NO_MEMORY ||
            status == STATUS_LIMIT);
    }
    CHECK(limit > 5);
    CHECK_EQ(exp_spool_count(spool), 1);
    status = STATUS_NO_MEMORY;
    for (limit = 0; status != STATUS_OK && limit < 1000; limit++) {
        allowed = limit;
        status = take(spool);
        allowed = -1;
        CHECK(status == STATUS_OK || status == STATUS_NO_MEMORY);
        CHECK_EQ(exp_spool_count(spool), 1);
    }
    CHECK(limit > 5);
    exp_spool_close(spool);
    empty(folder);
}
