/* Envelopes on disk, until the backend has answered. */
#include "tests/harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exporters/sentry/dsn.h"
#include "exporters/sentry/envelope.h"
#include "exporters/sentry/spool.h"
#include "exporters/sentry/spool_model.h"

struct place {
    char folder[64];
    struct exp_spool *spool;
};

static void open_place(struct place *place, const struct exp_spool_caps *caps)
{
    (void)snprintf(
        place->folder, sizeof place->folder, "/tmp/watchfire-spool-XXXXXX");
    CHECK(mkdtemp(place->folder) != NULL);
    CHECK_OK(exp_spool_open(&place->spool, place->folder, caps, NULL));
}

static void remove_tree(const char *folder)
{
    DIR *stream = opendir(folder);
    const struct dirent *entry;
    char path[512];
    if (stream == NULL)
        return;
    while ((entry = readdir(stream)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (unlink(path) != 0)
            remove_tree(path);
    }
    (void)closedir(stream);
    (void)rmdir(folder);
}

static void close_place(struct place *place)
{
    exp_spool_close(place->spool);
    remove_tree(place->folder);
}

/* An envelope with one item of `bytes` that no packer makes smaller. */
static struct exp_envelope *make(enum exp_item_type type, size_t bytes)
{
    struct exp_envelope *envelope = exp_envelope_create(NULL);
    char *payload = malloc(bytes + 1);
    uint64_t state = 88172645463325252u;
    for (size_t i = 0; i < bytes; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        payload[i] = (char)state;
    }
    exp_envelope_add(envelope, type, NULL, 0, payload, bytes);
    free(payload);
    return envelope;
}

static enum status add(
    struct place *place, enum exp_item_type type, size_t bytes,
    struct diag *diag)
{
    struct exp_envelope *envelope = make(type, bytes);
    enum status status = exp_spool_add(place->spool, envelope, diag);
    exp_envelope_destroy(envelope);
    return status;
}

static uint64_t lost(
    struct place *place, enum exp_discard reason, enum exp_category category)
{
    struct spool_ledger ledger;
    spool_read_ledger(place->spool, &ledger);
    return ledger.discards.counts[reason][category];
}

static uint64_t foreign(struct place *place)
{
    struct spool_ledger ledger;
    spool_read_ledger(place->spool, &ledger);
    return ledger.foreign_count;
}

/* The letters of the names, in the order of sending. */
static const char *letters(struct place *place)
{
    static char text[64];
    struct spool_list list;
    CHECK_OK(spool_list_read(place->spool, &list));
    for (uint32_t i = 0; i < list.count; i++)
        text[i] = list.entries[i].name[0];
    text[list.count] = '\0';
    spool_list_fini(&list);
    return text;
}

static void first_name(struct place *place, char name[SPOOL_NAME_BYTES])
{
    struct spool_list list;
    CHECK_OK(spool_list_read(place->spool, &list));
    CHECK(list.count > 0);
    memcpy(name, list.entries[0].name, SPOOL_NAME_BYTES);
    spool_list_fini(&list);
}

static void put_file(
    struct place *place, const char *name, const char *content, mode_t mode)
{
    int folder = open(place->folder, O_RDONLY | O_DIRECTORY);
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(write(fd, content, strlen(content)) == (ssize_t)strlen(content));
    CHECK_OK(fchmod(fd, mode));
    (void)close(fd);
    (void)close(folder);
}

TEST(spool_gives_back_what_was_added_after_it_was_opened_again)
{
    struct place place;
    char name[SPOOL_NAME_BYTES];
    struct exp_block content;
    int file;
    open_place(&place, NULL);
    CHECK_OK(add(&place, EXP_ITEM_EVENT, 300000, NULL));
    exp_spool_close(place.spool);
    CHECK_OK(exp_spool_open(&place.spool, place.folder, NULL, NULL));
    first_name(&place, name);
    CHECK(spool_claim(place.spool, name, &file, &content));
    CHECK(content.count > 300000);
    CHECK(strstr(content.bytes, "\"length\":300000") != NULL);
    free(content.bytes);
    spool_release(file);
    close_place(&place);
}

TEST(spool_sends_events_first_and_profiles_last)
{
    struct place place;
    open_place(&place, NULL);
    CHECK_OK(add(&place, EXP_ITEM_PROFILE_CHUNK, 10, NULL));
    CHECK_OK(add(&place, EXP_ITEM_TRANSACTION, 10, NULL));
    CHECK_OK(add(&place, EXP_ITEM_SESSION, 10, NULL));
    CHECK_OK(add(&place, EXP_ITEM_EVENT, 10, NULL));
    CHECK_STR(letters(&place), "estp");
    CHECK_EQ(exp_spool_count(place.spool), 4);
    close_place(&place);
}

TEST(spool_folder_is_private_and_refused_when_it_is_not)
{
    struct place place;
    struct stat info;
    struct diag diag = {.status = STATUS_OK};
    struct exp_spool *other;
    char deep[96], linked[96];
    open_place(&place, NULL);
    (void)snprintf(deep, sizeof deep, "%s/aside/deep", place.folder);
    CHECK_OK(exp_spool_open(&other, deep, NULL, NULL));
    exp_spool_close(other);
    CHECK_OK(stat(deep, &info));
    CHECK_EQ(info.st_mode & 0777, 0700);
    CHECK_OK(chmod(deep, 0750));
    CHECK_EQ(exp_spool_open(&other, deep, NULL, &diag), STATUS_NOT_PERMITTED);
    CHECK(strstr(diag.text, "mode 750") != NULL);
    CHECK_OK(chmod(deep, 0700));
    (void)snprintf(linked, sizeof linked, "%s/aside/link", place.folder);
    CHECK_OK(symlink(deep, linked));
    CHECK_EQ(exp_spool_open(&other, linked, NULL, &diag), STATUS_SYSTEM);
    close_place(&place);
}

TEST(spool_claim_is_one_process_alone_and_ends_with_it)
{
    struct place place;
    char name[SPOOL_NAME_BYTES];
    struct exp_block content;
    int file, ready[2];
    char byte;
    open_place(&place, NULL);
    CHECK_OK(add(&place, EXP_ITEM_EVENT, 10, NULL));
    first_name(&place, name);
    CHECK_OK(pipe(ready));
    pid_t holder = fork();
    if (holder == 0) {
        bool is_held = spool_claim(place.spool, name, &file, &content);
        if (write(ready[1], is_held ? "1" : "0", 1) == 1)
            (void)pause();
        _exit(1);
    }
    CHECK_EQ(read(ready[0], &byte, 1), 1);
    CHECK_EQ(byte, '1');
    CHECK(!spool_claim(place.spool, name, &file, &content));
    CHECK_OK(kill(holder, SIGKILL));
    CHECK_EQ(waitpid(holder, NULL, 0), holder);
    CHECK(spool_claim(place.spool, name, &file, &content));
    free(content.bytes);
    spool_release(file);
    (void)close(ready[0]);
    (void)close(ready[1]);
    close_place(&place);
}

TEST(spool_claim_ends_although_a_child_was_forked_meanwhile)
{
    struct place place;
    char name[SPOOL_NAME_BYTES];
    struct exp_block content;
    int file;
    open_place(&place, NULL);
    CHECK_OK(add(&place, EXP_ITEM_EVENT, 10, NULL));
    first_name(&place, name);
    int lock = spool_lock(place.spool);
    CHECK(spool_claim(place.spool, name, &file, &content));
    free(content.bytes);
    pid_t child = fork();
    if (child == 0) {
        (void)pause();
        _exit(1);
    }
    spool_release(file);
    spool_release(lock);
    CHECK(spool_claim(place.spool, name, &file, &content));
    free(content.bytes);
    spool_release(file);
    lock = spool_lock(place.spool);
    CHECK(lock >= 0);
    spool_release(lock);
    CHECK_OK(kill(child, SIGKILL));
    CHECK_EQ(waitpid(child, NULL, 0), child);
    close_place(&place);
}

TEST(spool_lets_the_oldest_profile_go_first_and_counts_it)
{
    const struct exp_spool_caps caps = {.bytes = 35000};
    struct place place;
    open_place(&place, &caps);
    CHECK_OK(add(&place, EXP_ITEM_EVENT, 10000, NULL));
    CHECK_OK(add(&place, EXP_ITEM_PROFILE_CHUNK, 10000, NULL));
    CHECK_OK(add(&place, EXP_ITEM_TRANSACTION, 10000, NULL));
    CHECK_STR(letters(&place), "etp");
    CHECK_OK(add(&place, EXP_ITEM_SESSION, 10000, NULL));
    CHECK_STR(letters(&place), "est");
    CHECK_EQ(
        lost(&place, EXP_DISCARD_CACHE_OVERFLOW, EXP_CATEGORY_PROFILE_CHUNK),
        1);
    CHECK_OK(add(&place, EXP_ITEM_EVENT, 10000, NULL));
    CHECK_STR(letters(&place), "ees");
    close_place(&place);
}

TEST(spool_lets_nothing_go_for_what_is_of_a_lower_rank)
{
    const struct exp_spool_caps caps = {.count = 2};
    struct place place;
    struct diag diag = {.status = STATUS_OK};
    open_place(&place, &caps);
    CHECK_OK(add(&place, EXP_ITEM_EVENT, 10, NULL));
    CHECK_OK(add(&place, EXP_ITEM_SESSION, 10, NULL));
    CHECK_EQ(add(&place, EXP_ITEM_PROFILE_CHUNK, 10, &diag), STATUS_LIMIT);
    CHECK_STR(letters(&place), "es");
    CHECK_EQ(
        lost(&place, EXP_DISCARD_CACHE_OVERFLOW, EXP_CATEGORY_PROFILE_CHUNK),
        1);
    close_place(&place);
}

TEST(spool_adds_many_as_it_adds_one)
{
    const struct exp_spool_caps caps = {.bytes = 4500};
    const enum exp_item_type types[] = {
        EXP_ITEM_TRANSACTION, EXP_ITEM_SESSION, EXP_ITEM_PROFILE_CHUNK};
    struct exp_envelope *envelopes[3];
    struct place place;
    open_place(&place, &caps);
    for (int i = 0; i < 3; i++)
        envelopes[i] = make(types[i], 900);
    CHECK_EQ(exp_spool_add_many(place.spool, envelopes, 3), 3);
    CHECK_STR(letters(&place), "stp");
    /* Where there is no room, the lowest gives way, and what is too much is
       counted. */
    CHECK_EQ(exp_spool_add_many(place.spool, envelopes, 3), 2);
    CHECK_STR(letters(&place), "sstt");
    CHECK_EQ(
        lost(&place, EXP_DISCARD_CACHE_OVERFLOW, EXP_CATEGORY_PROFILE_CHUNK),
        2);
    for (int i = 0; i < 3; i++)
        exp_envelope_destroy(envelopes[i]);
    close_place(&place);
}

TEST(spool_does_not_evict_what_is_being_sent)
{
    const struct exp_spool_caps caps = {.count = 2};
    struct place place;
    char name[SPOOL_NAME_BYTES];
    struct exp_block content;
    int file;
    open_place(&place, &caps);
    CHECK_OK(add(&place, EXP_ITEM_SESSION, 10, NULL));
    first_name(&place, name);
    CHECK(spool_claim(place.spool, name, &file, &content));
    CHECK_OK(add(&place, EXP_ITEM_SESSION, 10, NULL));
    CHECK_OK(add(&place, EXP_ITEM_SESSION, 10, NULL));
    CHECK_OK(faccessat(place.spool->folder, name, F_OK, 0));
    free(content.bytes);
    spool_release(file);
    close_place(&place);
}

TEST(spool_lets_what_is_too_old_go_and_counts_it)
{
    const struct exp_spool_caps caps = {.age_s = 3600};
    struct place place;
    char name[SPOOL_NAME_BYTES], old[SPOOL_NAME_BYTES];
    open_place(&place, &caps);
    CHECK_OK(add(&place, EXP_ITEM_EVENT, 10, NULL));
    first_name(&place, name);
    (void)snprintf(
        old, sizeof old, "e-%016llu%s",
        (unsigned long long)(spool_now_ms() - 3602 * 1000u), name + 18);
    CHECK_OK(renameat(place.spool->folder, name, place.spool->folder, old));
    spool_keep_caps(place.spool);
    CHECK_EQ(exp_spool_count(place.spool), 0);
    CHECK_EQ(lost(&place, EXP_DISCARD_NETWORK_ERROR, EXP_CATEGORY_ERROR), 1);
    close_place(&place);
}

TEST(spool_sets_aside_and_counts_what_is_not_its_own)
{
    static const char name[] =
        "e-0001763800000123-0123456789abcdef.envelope.gz";
    struct place place;
    char path[160];
    open_place(&place, NULL);
    put_file(&place, "passwords", "x", 0600);
    put_file(&place, name, "x", 0666);
    (void)snprintf(path, sizeof path, "%s/t%s", place.folder, name + 1);
    CHECK_OK(symlink("/etc/passwd", path));
    CHECK_EQ(exp_spool_count(place.spool), 0);
    CHECK_EQ(foreign(&place), 3);
    (void)snprintf(path, sizeof path, "%s/aside/%s", place.folder, name);
    CHECK_OK(access(path, F_OK));
    CHECK_OK(access("/etc/passwd", F_OK));
    close_place(&place);
}

TEST(spool_sets_a_damaged_envelope_aside_as_a_loss_of_its_kind)
{
    struct place place;
    char name[SPOOL_NAME_BYTES];
    struct exp_block content;
    int file;
    open_place(&place, NULL);
    CHECK_OK(add(&place, EXP_ITEM_SESSION, 1000, NULL));
    first_name(&place, name);
    int fd = openat(place.spool->folder, name, O_RDWR);
    CHECK_EQ(pwrite(fd, "x", 1, 600), 1);
    (void)close(fd);
    CHECK(!spool_claim(place.spool, name, &file, &content));
    CHECK_EQ(exp_spool_count(place.spool), 0);
    CHECK_EQ(
        lost(&place, EXP_DISCARD_INTERNAL_SDK_ERROR, EXP_CATEGORY_SESSION), 1);
    close_place(&place);
}

TEST(spool_keeps_its_count_when_the_ledger_is_damaged)
{
    struct place place;
    open_place(&place, NULL);
    put_file(&place, "discards", "watchfire discards 1\nforeign 1\n", 0600);
    CHECK_EQ(foreign(&place), 1); /* cut short: it counts as one itself */
    put_file(
        &place, "discards", "watchfire discards 1\nforeign 7\nend\n", 0600);
    CHECK_EQ(foreign(&place), 7);
    close_place(&place);
}

TEST(spool_sweeps_what_a_dead_writer_left_but_not_a_living_one)
{
    struct place place;
    open_place(&place, NULL);
    put_file(&place, ".new-dead", "x", 0600);
    put_file(&place, ".new-living", "x", 0600);
    int writer = openat(place.spool->folder, ".new-living", O_RDWR);
    CHECK_OK(flock(writer, LOCK_EX));
    CHECK_EQ(exp_spool_count(place.spool), 0);
    CHECK_EQ(faccessat(place.spool->folder, ".new-dead", F_OK, 0), -1);
    CHECK_OK(faccessat(place.spool->folder, ".new-living", F_OK, 0));
    CHECK_EQ(foreign(&place), 0);
    (void)close(writer);
    close_place(&place);
}

TEST(spool_finishes_a_removal_that_somebody_died_in)
{
    const struct exp_discards none = {0};
    struct spool_ledger ledger = {.foreign_count = 0};
    struct place place;
    char name[SPOOL_NAME_BYTES];
    struct exp_block content;
    int file;
    open_place(&place, NULL);
    CHECK_OK(add(&place, EXP_ITEM_EVENT, 10, NULL));
    first_name(&place, name);
    memcpy(ledger.gone, name, sizeof name);
    ledger.discards.counts[EXP_DISCARD_SEND_ERROR][EXP_CATEGORY_ERROR] = 1;
    CHECK(spool_write_ledger(place.spool, &ledger));
    CHECK(!spool_claim(place.spool, name, &file, &content));
    CHECK_EQ(exp_spool_count(place.spool), 0);
    CHECK_EQ(lost(&place, EXP_DISCARD_SEND_ERROR, EXP_CATEGORY_ERROR), 1);
    CHECK_OK(add(&place, EXP_ITEM_EVENT, 10, NULL));
    first_name(&place, name);
    memcpy(ledger.gone, name, sizeof name);
    CHECK(spool_write_ledger(place.spool, &ledger));
    spool_remove_counted(place.spool, "other", &none, &none);
    CHECK_EQ(exp_spool_count(place.spool), 0);
    close_place(&place);
}

TEST(spool_refuses_what_is_no_envelope)
{
    struct place place;
    open_place(&place, NULL);
    CHECK_EQ(
        exp_spool_add_bytes(place.spool, "nothing", 7, NULL), STATUS_MALFORMED);
    CHECK_EQ(exp_spool_count(place.spool), 0);
    close_place(&place);
}

TEST(spool_place_follows_the_environment)
{
    struct exp_dsn dsn;
    char path[512];
    CHECK_OK(exp_dsn_parse(&dsn, "https://key@host/7", NULL));
    CHECK_OK(setenv("XDG_STATE_HOME", "/state", 1));
    CHECK_OK(exp_spool_place(&dsn, path, sizeof path, NULL));
    CHECK(strncmp(path, "/state/watchfire/spool/host-7-", 30) == 0);
    CHECK_OK(setenv("WATCHFIRE_SPOOL", "/own", 1));
    CHECK_OK(exp_spool_place(&dsn, path, sizeof path, NULL));
    CHECK(strncmp(path, "/own/host-7-", 12) == 0);
    CHECK_OK(unsetenv("WATCHFIRE_SPOOL"));
    CHECK_OK(unsetenv("XDG_STATE_HOME"));
    CHECK_OK(setenv("HOME", "/home/me", 1));
    CHECK_OK(exp_spool_place(&dsn, path, sizeof path, NULL));
    CHECK(
        strncmp(path, "/home/me/.local/state/watchfire/spool/host-7-", 45) ==
        0);
}
