/*
 * The test harness: cases register themselves and cmocka runs them.
 *
 *     TEST(ring_claim_counts_a_loss_when_full)
 *     {
 *         CHECK_EQ(prof_ring_lost(ring, LOST_FULL), 1);
 *     }
 *
 * A case's name is the claim it proves. TEST_FILTER=pattern runs the cases
 * whose name matches the shell pattern.
 */
#ifndef TESTS_HARNESS_H
#define TESTS_HARNESS_H

/* cmocka.h wants these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#undef fail /* ours, of profiler/base/status.h, is the one that stays */

struct test_case {
    const char *name;
    void (*run)(void);
    struct test_case *next;
};

void test_register(struct test_case *test);

#define TEST(claim)                                                            \
    static void claim(void);                                                   \
    __attribute__((constructor)) static void register_##claim(void)            \
    {                                                                          \
        static struct test_case test = {.name = #claim, .run = claim};         \
        test_register(&test);                                                  \
    }                                                                          \
    static void claim(void)

#define CHECK(condition)          assert_true(condition)
#define CHECK_EQ(actual, wanted)  assert_int_equal(actual, wanted)
#define CHECK_STR(actual, wanted) assert_string_equal(actual, wanted)
#define CHECK_OK(expression)      assert_int_equal(expression, 0)

/* The absolute path of `name` below tests/; valid until the next call. */
const char *test_path(const char *name);

/* What this process has from malloc(); 0 where a sanitizer replaces it. */
size_t test_allocated_bytes(void);

#endif
