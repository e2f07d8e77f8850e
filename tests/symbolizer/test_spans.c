/* Flattening of overlapping ranges. */
#include "tests/harness.h"

#include <stdlib.h>

#include "symbolizer/spans.h"

static struct table spans_of(const struct sym_span *rows, uint32_t count)
{
    struct table spans = {.row_bytes = sizeof *rows};
    CHECK(table_add_many(&spans, rows, count) != TABLE_NONE);
    CHECK(sym_spans_flatten(&spans));
    return spans;
}

/* The owner at an address, -1 in a gap. */
static int owner_at(const struct table *spans, uint64_t vaddr)
{
    const struct sym_span *span = sym_spans_find(spans, vaddr);
    return span ? (int)span->owner : -1;
}

TEST(spans_of_nothing_find_nothing)
{
    struct table spans = {.row_bytes = sizeof(struct sym_span)};
    CHECK(sym_spans_flatten(&spans));
    CHECK(sym_spans_find(&spans, 0) == NULL);
}

TEST(spans_inside_another_cut_it_in_two)
{
    const struct sym_span rows[] = {{10, 20, 0}, {12, 15, 1}};
    struct table spans = spans_of(rows, 2);
    CHECK_EQ(spans.count, 3);
    CHECK_EQ(owner_at(&spans, 9), -1);
    CHECK_EQ(owner_at(&spans, 10), 0);
    CHECK_EQ(owner_at(&spans, 11), 0);
    CHECK_EQ(owner_at(&spans, 12), 1);
    CHECK_EQ(owner_at(&spans, 14), 1);
    CHECK_EQ(owner_at(&spans, 15), 0);
    CHECK_EQ(owner_at(&spans, 19), 0);
    CHECK_EQ(owner_at(&spans, 20), -1);
    table_fini(&spans);
}

TEST(spans_of_one_owner_that_touch_become_one)
{
    const struct sym_span rows[] = {{20, 30, 7}, {10, 20, 7}, {31, 40, 7}};
    struct table spans = spans_of(rows, 3);
    CHECK_EQ(spans.count, 2);
    CHECK_EQ(owner_at(&spans, 30), -1);
    table_fini(&spans);
}

TEST(spans_reach_to_the_end_of_the_address_space)
{
    const struct sym_span rows[] = {{UINT64_MAX - 4, UINT64_MAX, 3}};
    struct table spans = spans_of(rows, 1);
    CHECK_EQ(owner_at(&spans, UINT64_MAX - 1), 3);
    CHECK_EQ(owner_at(&spans, UINT64_MAX), -1);
    table_fini(&spans);
}

/* The rule itself, by trying every span: the greatest owner wins. */
static int owner_by_force(
    const struct sym_span *rows, uint32_t count, uint64_t vaddr)
{
    int best = -1;
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i].start <= vaddr && vaddr < rows[i].end &&
            (int)rows[i].owner > best)
            best = (int)rows[i].owner;
    }
    return best;
}

/* Enough of them for the other way of sorting, over the whole range. */
TEST(spans_in_great_number_are_sorted_over_all_bits_of_an_address)
{
    enum { COUNT = 5000 };
    struct table spans = {.row_bytes = sizeof(struct sym_span)};
    unsigned seed = 3;
    for (uint32_t i = 0; i < COUNT; i++) {
        uint64_t start = (uint64_t)rand_r(&seed) << 33 ^
                         (uint64_t)rand_r(&seed) << 10 ^ (uint64_t)i << 1;
        struct sym_span span = {.start = start, .end = start + 1, .owner = i};
        CHECK(table_add(&spans, &span) != TABLE_NONE);
    }
    struct table wanted = {.row_bytes = sizeof(struct sym_span)};
    CHECK(table_add_many(&wanted, spans.rows, COUNT) != TABLE_NONE);
    CHECK(sym_spans_flatten(&spans));
    const struct sym_span *rows = spans.rows;
    for (uint32_t i = 1; i < spans.count; i++)
        CHECK(rows[i - 1].end <= rows[i].start);
    for (uint32_t i = 0; i < COUNT; i++) {
        const struct sym_span *row = table_row(&wanted, i);
        CHECK(sym_spans_find(&spans, row->start) != NULL);
    }
    table_fini(&wanted);
    table_fini(&spans);
}

TEST(spans_agree_with_the_rule_on_random_ranges)
{
    unsigned seed = 1;
    for (int round = 0; round < 300; round++) {
        struct sym_span rows[24];
        for (uint32_t i = 0; i < 24; i++) {
            uint64_t start = (uint64_t)rand_r(&seed) % 90;
            rows[i] = (struct sym_span){
                .start = start,
                .end = start + 1 + (uint64_t)rand_r(&seed) % 20,
                .owner = (uint32_t)rand_r(&seed) % 12};
        }
        struct table spans = spans_of(rows, 24);
        for (uint64_t vaddr = 0; vaddr < 120; vaddr++)
            CHECK_EQ(owner_at(&spans, vaddr), owner_by_force(rows, 24, vaddr));
        table_fini(&spans);
    }
}
