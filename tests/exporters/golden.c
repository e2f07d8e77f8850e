/* Golden files. */
#include "tests/exporters/golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness.h"

static void rewrite(const char *path, const char *bytes, size_t count)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    CHECK_EQ(fwrite(bytes, 1, count, file), count);
    CHECK_EQ(fclose(file), 0);
}

/* Say where the two part, for a person who has to find out why. */
static void show_difference(
    const char *name, const char *bytes, size_t count, const char *golden,
    size_t golden_count)
{
    size_t at = 0;
    size_t line = 1;
    while (at < count && at < golden_count && bytes[at] == golden[at])
        line += bytes[at++] == '\n';
    size_t from = at < 40 ? 0 : at - 40;
    print_error(
        "%s: line %zu differs (%zu bytes, %zu wanted)\n  has   ...%.80s\n"
        "  wants ...%.80s\n",
        name, line, count, golden_count, bytes + from, golden + from);
}

void check_golden(const char *name, const char *bytes, size_t count)
{
    char relative[256];
    (void)snprintf(relative, sizeof relative, "golden/%s", name);
    const char *path = test_path(relative);
    const char *rewriting = getenv("WATCHFIRE_REGOLDEN");
    if (rewriting != NULL && strcmp(rewriting, "1") == 0) {
        rewrite(path, bytes, count);
        return;
    }

    FILE *file = fopen(path, "r");
    if (file == NULL)
        print_error("%s: no golden file\n", path);
    assert_non_null(file);
    char *golden = calloc(1, count + 2);
    assert_non_null(golden);
    size_t golden_count = fread(golden, 1, count + 1, file);
    (void)fclose(file);
    int is_equal = golden_count == count && memcmp(bytes, golden, count) == 0;
    if (!is_equal)
        show_difference(name, bytes, count, golden, golden_count);
    free(golden);
    CHECK(is_equal);
}

void check_golden_writer(const char *name, struct exp_writer *writer)
{
    size_t count;
    const char *bytes = exp_writer_bytes(writer, &count);
    assert_non_null(bytes);
    check_golden(name, bytes, count);
}
