/*
 * Every allocation fails once on the way of an envelope into the spool and out
 * again: it is kept whole or not at all, and nothing leaks.
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
#include "tests/allocations.h"

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

static struct exp_spool *open_anew(char *folder)
{
    struct exp_spool *spool;
    (void)strcpy(folder, "/tmp/watchfire-memory-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    CHECK_OK(exp_spool_open(&spool, folder, NULL, NULL));
    return spool;
}

TEST(spool_takes_an_envelope_whole_or_not_at_all_whichever_allocation_fails)
{
    bool is_refused;
    unsigned long n = 0;
    do {
        char folder[64];
        struct exp_spool *spool = open_anew(folder);
        allocations_fail(++n);
        enum status status = add(folder);
        is_refused = allocations_restore();
        CHECK(
            status == STATUS_OK || (is_refused && (status == STATUS_NO_MEMORY ||
                                                   status == STATUS_LIMIT)));
        CHECK_EQ(exp_spool_count(spool), status == STATUS_OK);
        exp_spool_close(spool);
        empty(folder);
    } while (is_refused);
    CHECK(n > 5);
}

TEST(spool_gives_an_envelope_or_keeps_it_whichever_allocation_fails)
{
    char folder[64];
    struct exp_spool *spool = open_anew(folder);
    CHECK_OK(add(folder));
    bool is_refused;
    unsigned long n = 0;
    do {
        allocations_fail(++n);
        enum status status = take(spool);
        is_refused = allocations_restore();
        CHECK(
            status == STATUS_OK || (is_refused && status == STATUS_NO_MEMORY));
        CHECK_EQ(exp_spool_count(spool), 1);
    } while (is_refused);
    CHECK(n > 5);
    exp_spool_close(spool);
    empty(folder);
}
