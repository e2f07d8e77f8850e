/* What handlers read while somebody publishes: modules, stacks, cache, trail.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/unwind/modules.h"
#include "profiler/unwind/sig_lookup.h"
#include "profiler/unwind/sig_row.h"
#include "profiler/unwind/sig_trail.h"
#include "profiler/unwind/stacks.h"
#include "tests/harness.h"

static struct prof_modules *new_modules(void)
{
    struct prof_modules *modules = calloc(1, sizeof *modules);
    CHECK(modules != NULL);
    modules->is_settled = true;
    return modules;
}

static struct prof_row_cache *new_cache(void)
{
    struct prof_row_cache *cache =
        aligned_alloc(64, sizeof(struct prof_row_cache));
    CHECK(cache != NULL);
    memset(cache, 0, sizeof *cache);
    return cache;
}

static bool holds(struct prof_modules *modules, uint64_t pc)
{
    const struct prof_text_list *list = prof_modules_enter(modules);
    CHECK(list != NULL);
    bool is_found = prof_text_find(list, pc) != NULL;
    prof_modules_leave(modules, list);
    return is_found;
}

TEST(texts_are_found_in_any_order_and_number)
{
    static struct prof_text texts[PROF_TEXTS_MAX + 1];
    struct prof_modules *modules = new_modules();
    for (uint32_t count = 0; count <= PROF_TEXTS_MAX; count = count * 2 + 1) {
        for (uint32_t i = 0; i < count; i++) {
            uint64_t start = 0x100000 + UINT64_C(0x1000) * (i * 7919 % count);
            texts[i] = (struct prof_text){.start = start, .end = start + 16};
        }
        CHECK(prof_modules_publish(modules, texts, count, NULL));
        CHECK(prof_modules_settle(modules, NULL));
        CHECK(!holds(modules, 0xfffff));
        for (uint32_t i = 0; i < count; i++) {
            CHECK(holds(modules, texts[i].start));
            CHECK(holds(modules, texts[i].start + 15));
            CHECK(!holds(modules, texts[i].start + 16));
        }
    }
    free(modules);
}

TEST(empty_and_overlapping_texts_do_no_harm)
{
    const struct prof_text texts[] = {
        {.start = 0x30000, .end = 0x40000},
        {.start = 0x50000, .end = 0x50000},
        {.start = 0x38000, .end = 0x48000},
        {.start = 0x60000, .end = 0x10000},
    };
    struct prof_modules *modules = new_modules();
    CHECK(prof_modules_publish(modules, texts, 4, NULL));
    CHECK(holds(modules, 0x30000));
    CHECK(holds(modules, 0x3ffff));
    CHECK(holds(modules, 0x47fff));
    CHECK(!holds(modules, 0x48000));
    CHECK(!holds(modules, 0x50000));
    CHECK(!holds(modules, 0x60000));
    free(modules);
}

TEST(a_reader_inside_keeps_what_it_reads)
{
    struct prof_text text = {.start = 0x10000, .end = 0x20000};
    struct prof_modules *modules = new_modules();
    CHECK(prof_modules_publish(modules, &text, 1, NULL));
    CHECK(prof_modules_settle(modules, NULL));

    const struct prof_text_list *inside = prof_modules_enter(modules);
    text = (struct prof_text){.start = 0x30000, .end = 0x40000};
    CHECK(prof_modules_publish(modules, &text, 1, NULL));
    CHECK(!prof_modules_settle(modules, NULL));
    CHECK(prof_text_find(inside, 0x10000) != NULL);
    CHECK(!prof_modules_publish(modules, &text, 1, NULL));
    CHECK(holds(modules, 0x30000));
    CHECK(prof_text_find(inside, 0x10000) != NULL);

    prof_modules_leave(modules, inside);
    CHECK(prof_modules_settle(modules, NULL));
    CHECK(prof_modules_publish(modules, &text, 1, NULL));
    free(modules);
}

TEST(a_cache_entry_is_exact)
{
    struct prof_row_cache *cache = new_cache();
    unsigned seed = 1;
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t key = ((uint64_t)rand_r(&seed) << 20 ^ rand_r(&seed)) %
                           (PROF_PC_MAX - PROF_PC_MIN) +
                       PROF_PC_MIN;
        uint32_t row = prof_row_make(PROF_ROW_SP, i % 60000, i % 200), found;
        prof_row_cache_put(cache, key, key, key + 1, row);
        CHECK(prof_row_cache_get(cache, key, &found));
        CHECK_EQ(found, row);
        uint32_t index = prof_row_cache_index(key);
        uint64_t entry = atomic_load(&cache->entries[index]);
        CHECK(prof_row_cache_granule(index, entry) == key / 32 * 32);
        CHECK(prof_row_cache_granule(index ^ 1, entry) == key / 32 * 32);
        CHECK(!prof_row_cache_get(cache, key + 1, &found));
        CHECK(!prof_row_cache_get(cache, key - 1, &found));
        CHECK(!prof_row_cache_get(cache, key ^ UINT64_C(1) << 40, &found));
    }
    free(cache);
}

static bool is_cached(const struct prof_row_cache *cache, uint64_t key)
{
    uint32_t row;
    return prof_row_cache_get(cache, key, &row) ||
           prof_row_cache_get_second(cache, key, &row);
}

TEST(an_entry_holds_for_its_stretch_within_its_granule)
{
    for (uint64_t first = 0x401040; first < 0x401080; first++)
        for (uint64_t end = first + 1; end < 0x4010a0; end++) {
            struct prof_row_cache *cache = new_cache();
            uint64_t key = (first + end) / 2, granule = key / 32 * 32;
            prof_row_cache_put(
                cache, key, first, end, prof_row_make(PROF_ROW_SP, 1, 0));
            for (uint64_t other = first - 40; other < end + 40; other++) {
                bool is_inside = other >= first && other < end;
                CHECK_EQ(
                    is_cached(cache, other),
                    is_inside && other / 32 * 32 == granule);
            }
            free(cache);
        }
}

TEST(the_entry_before_moves_next_door)
{
    struct prof_row_cache *cache = new_cache();
    uint64_t key = 0x401234, other = key;
    do
        other += 0x8000;
    while (prof_row_cache_index(other) != prof_row_cache_index(key));
    uint32_t row;
    uint32_t of_key = prof_row_make(PROF_ROW_SP, 11, 0);
    uint32_t of_other = prof_row_make(PROF_ROW_SP, 22, 0);
    prof_row_cache_put(cache, key, key, key + 1, of_key);
    prof_row_cache_put(cache, other, other, other + 1, of_other);
    CHECK(!prof_row_cache_get(cache, key, &row));
    CHECK(prof_row_cache_get_second(cache, key, &row));
    CHECK_EQ(row, of_key);
    CHECK(prof_row_cache_get(cache, other, &row));
    CHECK_EQ(row, of_other);
    free(cache);
}

TEST(publishing_forgets_what_may_be_different_now)
{
    struct prof_text texts[] = {
        {.start = 0x100000, .end = 0x200000},
        {.start = 0x300000, .end = 0x400000},
    };
    const uint64_t kept = 0x100100, gone = 0x300100, unknown = 0x500100;
    struct prof_modules *modules = new_modules();
    struct prof_row_cache *cache = new_cache();
    uint32_t row = prof_row_make(PROF_ROW_SP, 5, 0);
    CHECK(prof_modules_publish(modules, texts, 2, cache));
    CHECK(prof_modules_settle(modules, cache));
    prof_row_cache_put(cache, kept, kept, kept + 1, row);
    prof_row_cache_put(cache, gone, gone, gone + 1, row);
    row = prof_lookup_row(modules, cache, unknown);
    CHECK_EQ(prof_row_kind(row), PROF_ROW_NONE);
    CHECK(prof_row_cache_get(cache, unknown, &row));

    CHECK(prof_modules_publish(modules, texts, 1, cache));
    /* A handler that is still inside the old list stores what it found. */
    prof_row_cache_put(cache, gone, gone, gone + 1, row);
    CHECK(prof_modules_settle(modules, cache));
    CHECK(prof_row_cache_get(cache, kept, &row));
    CHECK(!prof_row_cache_get(cache, gone, &row));
    CHECK(!prof_row_cache_get(cache, unknown, &row));
    free(cache);
    free(modules);
}

/* Without CFI, a restorer is known by its code; by all of it. */
TEST(a_restorer_is_recognised_by_its_code)
{
    static const uint8_t code[32] = {0x90, 0x48, 0xc7, 0xc0, 0x0f, 0,    0,
                                     0,    0x0f, 0x05, 0x90, 0xb8, 0x0f, 0,
                                     0,    0,    0x0f, 5,    0x90, 0xb8, 0x0e};
    struct prof_text text = {
        .start = 0x10000, .end = 0x10000 + sizeof code, .code = code};
    struct prof_lookup lookup;
    static const struct {
        uint64_t key;
        enum prof_found found;
    } cases[] = {
        {0x10001, PROF_FOUND_SIGRETURN}, /* returned into */
        {0x10002, PROF_FOUND_SIGRETURN}, /* about to be executed */
        {0x10009, PROF_FOUND_SIGRETURN}, /* at the system call */
        {0x1000b, PROF_FOUND_SIGRETURN}, /* the short form */
        {0x10003, PROF_FOUND_NOTHING},   {0x10015, PROF_FOUND_NOTHING},
        {0x1001e, PROF_FOUND_NOTHING}, /* too near to the end */
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK_EQ(
            prof_lookup_rules(&text, cases[i].key, &lookup), cases[i].found);
    text.code = NULL;
    CHECK_EQ(prof_lookup_rules(&text, 0x10001, &lookup), PROF_FOUND_NOTHING);
}

static struct prof_stacks *new_stacks(void)
{
    struct prof_stacks *stacks = calloc(1, sizeof *stacks);
    CHECK(stacks != NULL);
    return stacks;
}

TEST(stacks_come_and_go)
{
    struct prof_stacks *stacks = new_stacks();
    uint64_t low, high;
    CHECK(!prof_stacks_find(stacks, 0x1000, &low, &high));
    for (uint64_t i = 0; i < PROF_STACKS_MAX; i++) {
        uint64_t start = 0x10000 * (1 + i * 7 % PROF_STACKS_MAX);
        CHECK(prof_stacks_add(stacks, start, start + 0x8000));
    }
    CHECK(!prof_stacks_add(stacks, 0x8000, 0x9000)); /* full: no change */
    CHECK(!prof_stacks_find(stacks, 0x8000, &low, &high));
    CHECK(prof_stacks_add(stacks, 0x20000, 0x2a000)); /* replaces */
    CHECK(prof_stacks_find(stacks, 0x29fff, &low, &high));
    CHECK_EQ(low, 0x20000);
    CHECK_EQ(high, 0x2a000);
    CHECK(!prof_stacks_find(stacks, 0x2a000, &low, &high));
    prof_stacks_remove(stacks, 0x20000);
    prof_stacks_remove(stacks, 0x20001);
    CHECK(!prof_stacks_find(stacks, 0x20000, &low, &high));
    CHECK(prof_stacks_find(stacks, 0x30000, &low, &high));
    free(stacks);
}

TEST(the_narrowest_stack_counts)
{
    struct prof_stacks *stacks = new_stacks();
    uint64_t low, high;
    CHECK(prof_stacks_add(stacks, 0x10000, 0x90000));
    CHECK(prof_stacks_add(stacks, 0x20000, 0x30000));
    CHECK(prof_stacks_find(stacks, 0x28000, &low, &high));
    CHECK_EQ(high, 0x30000);
    CHECK(prof_stacks_find(stacks, 0x38000, &low, &high));
    CHECK_EQ(high, 0x90000);
    free(stacks);
}

static atomic_bool is_over;

/* Ranges whose end tells their start: a torn one would show. */
static void *find_stacks(void *owner)
{
    struct prof_stacks *stacks = owner;
    uintptr_t torn = 0;
    uint64_t low, high;
    while (!atomic_load(&is_over))
        for (uint64_t at = 0x10000; at < 0x200000; at += 0x10000)
            if (prof_stacks_find(stacks, at, &low, &high))
                torn += high - low != low / 16 || at < low || at >= high;
    return (void *)torn;
}

TEST(no_reader_sees_half_a_publication)
{
    struct prof_stacks *stacks = new_stacks();
    pthread_t thread;
    void *torn;
    atomic_store(&is_over, false);
    CHECK_OK(pthread_create(&thread, NULL, find_stacks, stacks));
    for (uint64_t i = 0; i < 20000; i++) {
        uint64_t start = 0x10000 * (1 + i * 5 % 31);
        if (i % 3 == 0)
            prof_stacks_remove(stacks, start);
        else
            CHECK(prof_stacks_add(stacks, start, start + start / 16));
    }
    atomic_store(&is_over, true);
    CHECK_OK(pthread_join(thread, &torn));
    CHECK(torn == NULL);
    free(stacks);
}

TEST(a_trail_belongs_to_one_walk_and_one_publication)
{
    static struct prof_trail trail;
    CHECK(prof_trail_begin(&trail, 1, 1));
    CHECK(!prof_trail_begin(&trail, 1, 1));
    CHECK(!prof_trail_note(&trail, 0x1000, 10, 0, prof_trail_plain(0)));
    CHECK(!prof_trail_note(&trail, 0x2000, 20, 0, prof_trail_plain(0)));
    prof_trail_finish(&trail, 0);
    CHECK_EQ(trail.old_count, 2);

    CHECK(prof_trail_begin(&trail, 1, 1));
    CHECK(!prof_trail_note(&trail, 0x1000, 11, 0, prof_trail_plain(0)));
    CHECK(prof_trail_note(&trail, 0x2000, 20, 0, prof_trail_plain(0)));
    CHECK_EQ(trail.old_at, 0);
    prof_trail_finish(&trail, 0);

    CHECK(prof_trail_begin(&trail, 1, 2)); /* other modules */
    CHECK_EQ(trail.old_count, 0);
    prof_trail_finish(&trail, 0);
    CHECK(prof_trail_begin(&trail, 2, 2)); /* another stack */
    CHECK_EQ(trail.old_count, 0);
    prof_trail_finish(&trail, 0);
}

TEST(a_trail_that_overflows_keeps_the_innermost_steps)
{
    static struct prof_trail trail;
    for (unsigned round = 0; round < 3; round++) {
        CHECK(prof_trail_begin(&trail, 1, 1));
        for (uint64_t i = 1; i <= 2 * PROF_TRAIL_STEPS; i++)
            (void)prof_trail_note(
                &trail, i * 64, round, 0, prof_trail_plain(0));
        prof_trail_finish(&trail, 0);
        CHECK_EQ(trail.old_count, PROF_TRAIL_STEPS);
        CHECK_EQ(trail.steps[PROF_TRAIL_STEPS - 1].sp & PROF_TRAIL_ADDRESS, 64);
    }
}
