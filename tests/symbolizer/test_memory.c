/*
 * Running out of memory: every allocation of ours fails once. The linker sends
 * our calls (and not those of libelf and libdw) through the functions below.
 */
#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/symbolizer/fixture.h"

static unsigned long count, fail_at; /* 0: never */

static bool is_refused(void)
{
    return ++count == fail_at;
}

/* The names are the linker's. */
void *__real_malloc(size_t bytes);
void *__real_calloc(size_t rows, size_t bytes);
void *__real_realloc(void *block, size_t bytes);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t rows, size_t bytes);
void *__wrap_realloc(void *block, size_t bytes);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t bytes)
{
    return is_refused() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t rows, size_t bytes)
{
    return is_refused() ? NULL : __real_calloc(rows, bytes);
}

void *__wrap_realloc(void *block, size_t bytes)
{
    return is_refused() ? NULL : __real_realloc(block, bytes);
}

char *__wrap_strdup(const char *text)
{
    return is_refused() ? NULL : __real_strdup(text);
}

/* Open a fixture and look at some addresses; the frames and the starts of
   functions found, or -1. */
static int try_once(const char *path, uint64_t first, uint64_t last)
{
    struct sym_symbolizer *symbolizer = sym_symbolizer_create(NULL);
    if (symbolizer == NULL)
        return -1;
    struct sym_source source = {.path = path};
    struct sym_module *module;
    struct diag diag = {0};
    int found_count = 0;
    enum status status = sym_module_open(symbolizer, &source, &module, &diag);
    for (uint64_t v = first; status == STATUS_OK && v < last; v += 7) {
        struct sym_frames frames;
        status = sym_module_lookup(module, v, &frames, &diag);
        if (status == STATUS_OK)
            found_count += (int)frames.count + (frames.start_vaddr < v);
    }
    sym_symbolizer_destroy(symbolizer);
    if (status == STATUS_OK)
        return found_count;
    CHECK_EQ(status, STATUS_NO_MEMORY);
    CHECK_EQ(diag.status, STATUS_NO_MEMORY);
    return -1;
}

/* One allocation after the other fails, until none is left to fail. */
static void sweep(const char *fixture, const char *first, const char *last)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s", fixture_path(fixture));
    uint64_t start = fixture_symbol("inline_gcc_dwarf5", first) - 32;
    uint64_t end = fixture_symbol("inline_gcc_dwarf5", last) + 32;
    fail_at = 0;
    int whole = try_once(path, start, end);
    CHECK(whole > 0);

    int refused = 0;
    for (unsigned long n = 1;; n++) {
        count = 0;
        fail_at = n;
        int found = try_once(path, start, end);
        fail_at = 0;
        if (count < n)
            break; /* there were not that many */
        refused += found < 0;
        /* A debug file that cannot be opened for lack of memory is as good
           as absent: a poorer answer, never a wrong one. */
        CHECK(found <= whole);
    }
    CHECK(refused > 10);
}

TEST(every_failed_allocation_with_dwarf_is_survived)
{
    sweep("inline_gcc_dwarf5", "outer", "other");
}

TEST(every_failed_allocation_with_compressed_sections_is_survived)
{
    sweep("inline_gcc_zlib", "outer", "other");
}

TEST(every_failed_allocation_with_a_debug_file_is_survived)
{
    sweep("linked/inline", "outer", "other");
}

TEST(every_failed_allocation_with_an_embedded_table_is_survived)
{
    if (fixture_exists("embedded"))
        sweep("embedded", "outer", "other");
}

TEST(every_failed_allocation_without_symbols_is_survived)
{
    sweep("stripped", "outer", "other");
}
