/*
 * An index says what the direct way says: compared at every address of the
 * code of fixtures and of what the distribution brings with debug information.
 */
#include "tests/harness.h"

#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/builder.h"
#include "symbolizer/module.h"
#include "symbolizer/symbolizer.h"
#include "tests/symbolizer/cache_folder.h"
#include "tests/symbolizer/fixture.h"

static bool is_same(const struct sym_frames *a, const struct sym_frames *b)
{
    if (a->count != b->count || a->start_vaddr != b->start_vaddr)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct sym_frame *x = &a->rows[i], *y = &b->rows[i];
        if (strcmp(x->function, y->function) != 0 ||
            strcmp(x->raw_name, y->raw_name) != 0 ||
            strcmp(x->file, y->file) != 0 || x->line != y->line ||
            x->column != y->column || x->discriminator != y->discriminator ||
            x->is_inlined != y->is_inlined)
            return false;
    }
    return true;
}

static void print_frames(const char *way, const struct sym_frames *frames)
{
    print_message(
        "  %s: start 0x%llx\n", way, (unsigned long long)frames->start_vaddr);
    for (size_t i = 0; i < frames->count; i++)
        print_message(
            "    %s %s:%u:%u%s\n", frames->rows[i].raw_name,
            frames->rows[i].file, frames->rows[i].line, frames->rows[i].column,
            frames->rows[i].is_inlined ? " (inlined)" : "");
}

static struct sym_module *open_module(
    struct sym_symbolizer *symbolizer, const char *path)
{
    struct sym_source source = {.path = path};
    struct sym_module *module = NULL;
    CHECK_OK(sym_module_open(symbolizer, &source, &module, NULL));
    return module;
}

/* Compare at every address of the executable segments, and around them. */
static size_t compare_modules(
    struct sym_module *direct, struct sym_module *indexed)
{
    size_t differences = 0;
    for (uint32_t i = 0; i < direct->image.segments.count; i++) {
        const struct sym_segment *segment =
            table_row(&direct->image.segments, i);
        if (!segment->is_executable)
            continue;
        uint64_t end = segment->vaddr + segment->memory_bytes + 16;
        for (uint64_t v = segment->vaddr - 16; v < end; v++) {
            struct sym_frames wanted = fixture_lookup(direct, v);
            struct sym_frames found = fixture_lookup(indexed, v);
            if (is_same(&wanted, &found) || ++differences > 5)
                continue;
            print_message("0x%llx\n", (unsigned long long)v);
            print_frames("direct", &wanted);
            print_frames("index", &found);
        }
    }
    return differences;
}

static void compare(const char *path)
{
    static const char *const dirs[] = {"/usr/lib/debug", NULL};
    struct sym_source source = {.path = path};
    struct sym_cache cache;
    char *folder = cache_folder_make();
    struct diag diag = {0};
    CHECK_OK(sym_cache_open(&cache, folder, UINT64_C(1) << 30, NULL));
    if (sym_builder_make(&cache, dirs, &source, &diag) != STATUS_OK)
        print_error("%s\n", diag.text);
    CHECK_OK(diag.status);

    struct sym_options options = {.cache_folder = folder};
    struct sym_symbolizer *direct = sym_symbolizer_create(NULL);
    struct sym_symbolizer *indexed = sym_symbolizer_create(&options);
    struct sym_module *module = open_module(indexed, path);
    size_t differences = compare_modules(open_module(direct, path), module);
    CHECK(module->index.is_open);
    CHECK(!module->index.index.is_damaged);
    CHECK(module->info == NULL); /* nothing else was read */
    sym_symbolizer_destroy(direct);
    sym_symbolizer_destroy(indexed);
    sym_cache_close(&cache);
    cache_folder_remove(folder);
    CHECK_EQ(differences, 0);
}

static void compare_fixture(const char *name)
{
    char path[4096];
    if (!fixture_exists(name))
        return;
    (void)snprintf(path, sizeof path, "%s", fixture_path(name));
    compare(path);
}

TEST(an_index_of_gcc_s_dwarf_5_answers_like_it)
{
    compare_fixture("inline_gcc_dwarf5");
}

TEST(an_index_of_gcc_s_dwarf_4_answers_like_it)
{
    compare_fixture("inline_gcc_dwarf4");
}

TEST(an_index_of_clang_s_dwarf_answers_like_it)
{
    compare_fixture("inline_clang_dwarf5");
}

TEST(an_index_of_compressed_sections_answers_like_them)
{
    compare_fixture("inline_gcc_zlib");
}

TEST(an_index_of_a_separate_debug_file_answers_like_it)
{
    compare_fixture("linked/inline");
}

TEST(an_index_of_a_moved_file_answers_like_it)
{
    compare_fixture("prelinked/inline");
}

TEST(an_index_of_functions_in_pieces_answers_like_them)
{
    compare_fixture("shapes");
}

TEST(an_index_of_names_better_in_symbols_than_in_dwarf_answers_like_them)
{
    compare_fixture("constructors");
    compare_fixture("constructors_g1");
}

TEST(an_index_of_code_that_two_units_claim_answers_like_them)
{
    compare_fixture("comdat");
}

TEST(an_index_of_split_files_and_packages_answers_like_them)
{
    static const char *const names[] = {
        "inline_gcc_split4",   "inline_gcc_split5",    "inline_clang_split5",
        "split_moved5/inline", "split_zlib/inline",    "package4/inline",
        "package_zstd/inline", "package_clang5/inline"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        compare_fixture(names[i]);
}

TEST(an_index_of_parts_that_dwz_shares_answers_like_them)
{
    compare_fixture("dwz_one");
}

TEST(an_index_of_libc_answers_like_its_debug_file)
{
    static const char libc[] = "/lib/x86_64-linux-gnu/libc.so.6";
    if (access("/usr/lib/debug/.build-id", R_OK) == 0)
        compare(libc);
}

TEST(an_index_of_python_answers_like_it)
{
    static const char python[] = "/usr/bin/python3.11d";
    if (access(python, R_OK) == 0)
        compare(python);
}
