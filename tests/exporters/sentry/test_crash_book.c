/* A crash loop is counted, and told once in a while. */
#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "exporters/sentry/crash_book.h"

enum { PAUSE_MS = 1000, NOW_MS = 5000 };

static char folder[] = "/tmp/crash_book_XXXXXX";

static const char *make_folder(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/crash_book_XXXXXX");
    assert_non_null(mkdtemp(folder));
    return folder;
}

static void remove_folder(void)
{
    char path[64];
    (void)snprintf(path, sizeof path, "%s/" EXP_CRASH_BOOK, folder);
    (void)unlink(path);
    CHECK_EQ(rmdir(folder), 0);
}

static bool ask(uint64_t key, uint64_t now_ms, uint32_t *repeats)
{
    return exp_crash_book_ask(folder, key, now_ms, PAUSE_MS, repeats);
}

TEST(crash_book_tells_how_often_it_came_in_between)
{
    uint32_t repeats;
    (void)make_folder();
    CHECK(ask(1, NOW_MS, &repeats));
    CHECK_EQ(repeats, 0);
    CHECK(!ask(1, NOW_MS + 1, &repeats));
    CHECK(!ask(1, NOW_MS + PAUSE_MS - 1, &repeats));
    CHECK(ask(2, NOW_MS + 2, &repeats)); /* another one */
    CHECK(ask(1, NOW_MS + PAUSE_MS, &repeats));
    CHECK_EQ(repeats, 2);
    CHECK(!ask(1, NOW_MS + PAUSE_MS + 1, &repeats));
    remove_folder();
}

TEST(crash_book_is_not_silenced_by_a_clock_that_was_set_back)
{
    uint32_t repeats;
    (void)make_folder();
    CHECK(ask(1, NOW_MS, &repeats));
    CHECK(ask(1, NOW_MS - PAUSE_MS, &repeats));
    remove_folder();
}

/* Two processes take the time, and then wait for each other. */
TEST(crash_book_takes_a_late_one_for_a_repeat)
{
    uint32_t repeats;
    (void)make_folder();
    CHECK(ask(1, NOW_MS, &repeats));
    CHECK(!ask(1, NOW_MS - 1, &repeats));
    remove_folder();
}

TEST(crash_book_forgets_the_oldest_of_too_many)
{
    enum { MANY = 300 };
    uint32_t repeats;
    (void)make_folder();
    for (uint64_t key = 1; key <= MANY; key++)
        CHECK(ask(key, NOW_MS + key, &repeats));
    CHECK(!ask(MANY, NOW_MS + MANY + 1, &repeats));
    CHECK(ask(1, NOW_MS + MANY + 2, &repeats));
    remove_folder();
}

TEST(crash_book_that_is_damaged_costs_no_crash)
{
    char path[64];
    uint32_t repeats;
    (void)make_folder();
    (void)snprintf(path, sizeof path, "%s/" EXP_CRASH_BOOK, folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs("0000000000000001 five 1\nnonsense\n\0\xff\n", file);
    (void)fclose(file);
    CHECK(ask(1, NOW_MS, &repeats));
    CHECK(!ask(1, NOW_MS, &repeats));
    remove_folder();
    /* Nor does one that cannot be written. */
    CHECK(ask(1, NOW_MS, &repeats));
    CHECK(ask(1, NOW_MS, &repeats));
}
