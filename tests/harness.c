/* The test harness: collects the registered cases and hands them to cmocka. */
#include "tests/harness.h"

#include <fnmatch.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static struct test_case *first_case;

void test_register(struct test_case *test)
{
    test->next = first_case;
    first_case = test;
}

static void run_case(void **state)
{
    ((struct test_case *)*state)->run();
}

const char *test_path(const char *name)
{
    static char path[4096];
    const char *root = getenv("TESTS_SOURCE_DIR");
    (void)snprintf(path, sizeof path, "%s/%s", root ? root : "tests", name);
    return path;
}

static bool is_wanted(const struct test_case *test)
{
    const char *filter = getenv("TEST_FILTER");
    return filter == NULL || fnmatch(filter, test->name, 0) == 0;
}

size_t test_allocated_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

int main(void)
{
    size_t count = 0;
    for (struct test_case *test = first_case; test; test = test->next)
        count += is_wanted(test);

    struct CMUnitTest *tests = calloc(count + 1, sizeof *tests);
    if (tests == NULL)
        return 1;

    /* Registration order is the reverse of the file's; turn it round. */
    size_t index = count;
    for (struct test_case *test = first_case; test; test = test->next) {
        if (!is_wanted(test))
            continue;
        tests[--index] = (struct CMUnitTest){
            .name = test->name,
            .test_func = run_case,
            .initial_state = test,
        };
    }

    int failures =
        count == 0
            ? 1
            : _cmocka_run_group_tests("watchfire", tests, count, NULL, NULL);
    free(tests);
    return failures == 0 ? 0 : 1;
}
