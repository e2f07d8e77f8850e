/* Running out of memory: every allocation of ours fails once. */
#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/builder.h"
#include "tests/allocations.h"
#include "tests/symbolizer/cache_folder.h"
#include "tests/symbolizer/fixture.h"

/* Open a fixture and look at some addresses; the frames and the starts of
   functions found, or -1. */
static int try_once(
    const char *path, const char *cache_folder, uint64_t first, uint64_t last)
{
    struct sym_options options = {.cache_folder = cache_folder};
    struct sym_symbolizer *symbolizer = sym_symbolizer_create(&options);
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
static void sweep_with(const char *fixture, const char *cache_folder)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s", fixture_path(fixture));
    uint64_t start = fixture_symbol("inline_gcc_dwarf5", "outer") - 32;
    uint64_t end = fixture_symbol("inline_gcc_dwarf5", "other") + 32;
    int whole = try_once(path, cache_folder, start, end);
    CHECK(whole > 0);

    int refused = 0;
    for (unsigned long n = 1;; n++) {
        allocations_fail(n);
        int found = try_once(path, cache_folder, start, end);
        if (!allocations_restore())
            break; /* there were not that many */
        refused += found < 0;
        /* A debug file that cannot be opened for lack of memory is as good
           as absent: a poorer answer, never a wrong one. */
        CHECK(found <= whole);
    }
    CHECK(refused > (cache_folder ? 1 : 10));
}

static void sweep(const char *fixture)
{
    sweep_with(fixture, NULL);
}

TEST(every_failed_allocation_with_dwarf_is_survived)
{
    sweep("inline_gcc_dwarf5");
}

TEST(every_failed_allocation_with_compressed_sections_is_survived)
{
    sweep("inline_gcc_zlib");
}

TEST(every_failed_allocation_with_a_debug_file_is_survived)
{
    sweep("linked/inline");
}

TEST(every_failed_allocation_with_an_embedded_table_is_survived)
{
    if (fixture_exists("embedded"))
        sweep("embedded");
}

TEST(every_failed_allocation_without_symbols_is_survived)
{
    sweep("stripped");
}

/* ---- indexes ---- */

static enum status make_index(const char *path, const char *folder)
{
    static const char *const no_dirs[] = {NULL};
    struct sym_source source = {.path = path};
    struct sym_cache cache;
    CHECK_OK(sym_cache_open(&cache, folder, 1 << 20, NULL));
    enum status status = sym_builder_make(&cache, no_dirs, &source, NULL);
    sym_cache_close(&cache);
    return status;
}

TEST(every_failed_allocation_while_an_index_is_made_leaves_a_whole_one_or_none)
{
    char path[4096], *folder = cache_folder_make();
    (void)snprintf(path, sizeof path, "%s", fixture_path("inline_gcc_dwarf5"));
    int refused = 0;
    for (unsigned long n = 1;; n++) {
        allocations_fail(n);
        enum status status = make_index(path, folder);
        if (!allocations_restore()) {
            CHECK_OK(status);
            break;
        }
        refused += status != STATUS_OK;
        CHECK_EQ(cache_folder_count(folder, ""), status == STATUS_OK);
        if (status != STATUS_OK)
            continue;
        char *index = cache_folder_file(folder, ".index");
        CHECK_OK(remove(index));
        free(index);
    }
    CHECK(refused > 10);
    cache_folder_remove(folder);
}

TEST(every_failed_allocation_with_an_index_is_survived)
{
    char path[4096], *folder = cache_folder_make();
    (void)snprintf(path, sizeof path, "%s", fixture_path("inline_gcc_dwarf5"));
    CHECK_OK(make_index(path, folder));
    sweep_with("inline_gcc_dwarf5", folder);
    cache_folder_remove(folder);
}
