/*
 * Inlined frames, against truth by construction: fixtures/inline.c, in every
 * encoding of debug information that the compilers at hand can write.
 */
#include "tests/harness.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/image_open.h"
#include "tests/symbolizer/fixture.h"

struct wanted_frame {
    const char *function;
    const char *mark; /* names the line */
};

struct wanted_stack {
    const char *label;
    struct wanted_frame frames[4]; /* innermost first */
};

static const struct wanted_stack wanted_stacks[] = {
    {"at_10",
     {{"leaf", "leaf"},
      {"middle", "leaf in middle"},
      {"outer", "middle in outer"}}},
    {"at_11",
     {{"leaf", "leaf"},
      {"middle", "second leaf in middle"},
      {"outer", "middle in outer"}}},
    {"at_1", {{"outer", "outer"}}},
    {"at_20", {{"leaf", "leaf"}, {"outer", "leaf in outer"}}},
    {"at_30", {{"leaf", "leaf"}, {"other", "leaf in other"}}},
    {"at_40",
     {{"leaf", "leaf"},
      {"middle", "leaf in middle"},
      {"other", "middle in other"}}},
    {"at_41",
     {{"leaf", "leaf"},
      {"middle", "second leaf in middle"},
      {"other", "middle in other"}}},
};

enum { WANTED_STACKS = sizeof wanted_stacks / sizeof wanted_stacks[0] };

static size_t depth_of(const struct wanted_stack *wanted)
{
    size_t depth = 0;
    while (depth < 4 && wanted->frames[depth].function != NULL)
        depth++;
    return depth;
}

static void print_frames(const char *fixture, struct sym_frames frames)
{
    for (size_t i = 0; i < frames.count; i++)
        print_error(
            "%s: %s %s:%u\n", fixture, frames.rows[i].function,
            frames.rows[i].file, frames.rows[i].line);
}

static void check_frame(
    const struct sym_frame *frame, const struct wanted_frame *wanted,
    bool is_inlined)
{
    CHECK_STR(frame->function, wanted->function);
    CHECK_EQ(frame->line, fixture_line("inline.c", wanted->mark));
    CHECK(strstr(frame->file, "fixtures/inline.c") != NULL);
    CHECK_EQ(frame->file[0], '/');
    CHECK_EQ(frame->is_inlined, is_inlined);
}

/* Every label of `fixture` has its stack, asked through `module`. */
static void check_stacks(struct sym_module *module, const char *fixture)
{
    for (size_t i = 0; i < WANTED_STACKS; i++) {
        const struct wanted_stack *wanted = &wanted_stacks[i];
        size_t depth = depth_of(wanted);
        uint64_t vaddr = fixture_symbol(fixture, wanted->label);
        struct sym_frames frames = fixture_lookup(module, vaddr);
        if (frames.count != depth)
            print_frames(fixture, frames);
        CHECK_EQ(frames.count, depth);
        uint64_t start =
            fixture_symbol(fixture, wanted->frames[depth - 1].function);
        for (size_t f = 0; f < depth; f++) {
            check_frame(&frames.rows[f], &wanted->frames[f], f + 1 < depth);
            CHECK_EQ(frames.start_vaddr, start);
        }
    }
}

static void check_variant(const char *fixture)
{
    if (!fixture_exists(fixture))
        return;
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_module *module = fixture_open(symbolizer, fixture);
    check_stacks(module, fixture);
    CHECK_STR(sym_module_problem(module), "");
    sym_symbolizer_destroy(symbolizer);
}

#define VARIANT(claim, fixture)                                                \
    TEST(claim)                                                                \
    {                                                                          \
        check_variant(fixture);                                                \
    }

VARIANT(inlines_from_gcc_in_dwarf_5, "inline_gcc_dwarf5")
VARIANT(inlines_from_gcc_in_dwarf_4, "inline_gcc_dwarf4")
VARIANT(inlines_from_gcc_in_dwarf_3, "inline_gcc_dwarf3")
VARIANT(inlines_from_gcc_in_dwarf_2, "inline_gcc_dwarf2")
VARIANT(inlines_from_64_bit_dwarf, "inline_gcc_dwarf64")
VARIANT(inlines_from_sections_compressed_with_zlib, "inline_gcc_zlib")
VARIANT(inlines_from_sections_compressed_with_zstandard, "inline_gcc_zstd")
VARIANT(inlines_from_sections_compressed_the_old_way, "inline_gcc_zlib_gnu")
VARIANT(inlines_from_a_file_with_type_units, "inline_gcc_types")
VARIANT(inlines_with_one_section_per_function, "inline_gcc_sections")
VARIANT(inlines_after_link_time_optimization, "inline_gcc_lto")
VARIANT(inlines_from_a_split_file_in_dwarf_5, "inline_gcc_split5")
VARIANT(inlines_from_a_split_file_in_dwarf_4, "inline_gcc_split4")
VARIANT(inlines_in_a_program_at_a_fixed_address, "inline_gcc_fixed")
VARIANT(inlines_without_aranges_in_dwarf_5, "inline_clang_dwarf5")
VARIANT(inlines_without_aranges_in_dwarf_4, "inline_clang_dwarf4")
VARIANT(inlines_from_clang_with_line_tables_only, "inline_clang_g1")
VARIANT(inlines_from_clang_in_a_split_file, "inline_clang_split5")
VARIANT(inlines_from_a_split_file_that_moved_in_dwarf_4, "split_moved4/inline")
VARIANT(inlines_from_a_split_file_that_moved_in_dwarf_5, "split_moved5/inline")
VARIANT(inlines_from_a_split_file_with_type_units, "split_types/inline")
VARIANT(inlines_from_a_split_file_that_is_compressed, "split_zlib/inline")
VARIANT(inlines_from_a_split_file_with_many_sections, "split_ranges/inline")
VARIANT(inlines_from_a_package_of_the_old_form, "package4/inline")
VARIANT(inlines_from_a_compressed_package, "package_zstd/inline")
VARIANT(inlines_from_a_package_of_clang_in_dwarf_4, "package_clang4/inline")
VARIANT(inlines_from_a_package_of_clang_in_dwarf_5, "package_clang5/inline")
VARIANT(inlines_from_the_first_of_two_files_of_dwz, "dwz_one")
VARIANT(inlines_from_the_second_of_two_files_of_dwz, "dwz_two")

/* Functions and lines remain, inlined calls do not, and the reason is told. */
static void check_without_inlines(const char *fixture, const char *reason)
{
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_module *module = fixture_open(symbolizer, fixture);
    struct sym_frames frames =
        fixture_lookup(module, fixture_symbol(fixture, "at_10"));
    CHECK_EQ(frames.count, 1);
    CHECK_STR(frames.rows[0].function, "outer");
    CHECK_EQ(frames.rows[0].line, fixture_line("inline.c", "leaf"));
    CHECK(strstr(sym_module_problem(module), "inline.dwo") != NULL);
    CHECK(strstr(sym_module_problem(module), reason) != NULL);
    sym_symbolizer_destroy(symbolizer);
}

TEST(a_split_file_that_is_lost_leaves_functions_and_lines)
{
    check_without_inlines("split_lost/inline", "not found");
}

TEST(a_split_file_of_another_build_is_not_believed)
{
    check_without_inlines("split_wrong/inline", "another build");
}

/* Give a section of an ELF file a hole of more than 4 GiB for its content. */
static void enlarge(const char *path, const char *section)
{
    GElf_Shdr header;
    struct sym_image image;
    CHECK_OK(sym_image_open(&image, path, NULL));
    Elf_Scn *scn = sym_image_section(&image, section, &header);
    assert_non_null(scn);
    size_t number = elf_ndxscn(scn), bytes = image.bytes_count;
    sym_image_close(&image);

    Elf64_Ehdr head;
    Elf64_Shdr row;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_EQ(pread(fd, &head, sizeof head, 0), sizeof head);
    off_t place = (off_t)(head.e_shoff + number * sizeof row);
    CHECK_EQ(pread(fd, &row, sizeof row, place), sizeof row);
    row.sh_offset = (bytes + 4095) & ~UINT64_C(4095);
    row.sh_size = (UINT64_C(1) << 32) + 8;
    CHECK_EQ(pwrite(fd, &row, sizeof row, place), sizeof row);
    CHECK_OK(ftruncate(fd, (off_t)(row.sh_offset + row.sh_size)));
    (void)close(fd);
}

static void copy_fixture(const char *name, const char *path)
{
    size_t bytes;
    uint8_t *content = fixture_read(name, &bytes);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    CHECK_EQ(fwrite(content, 1, bytes, file), bytes);
    CHECK_OK(fclose(file));
    free(content);
}

/* Offsets of its index wrap: they may lead to the strings of another unit. */
TEST(a_package_of_more_than_4_gib_is_refused_with_its_reason)
{
    if (!fixture_exists("package4/inline.dwp"))
        return;
    char folder[] = "/tmp/sym_package.XXXXXX", program[64], package[64];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(program, sizeof program, "%s/inline", folder);
    (void)snprintf(package, sizeof package, "%s/inline.dwp", folder);
    copy_fixture("package4/inline", program);
    copy_fixture("package4/inline.dwp", package);
    enlarge(package, ".debug_str_offsets.dwo");

    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_source source = {.path = program};
    struct sym_module *module = NULL;
    CHECK_OK(sym_module_open(symbolizer, &source, &module, NULL));
    struct sym_frames frames =
        fixture_lookup(module, fixture_symbol("package4/inline", "at_10"));
    CHECK_EQ(frames.count, 1);
    CHECK_STR(frames.rows[0].function, "outer");
    CHECK(strstr(sym_module_problem(module), "more than 4 GiB") != NULL);
    sym_symbolizer_destroy(symbolizer);
    CHECK_OK(unlink(package));
    CHECK_OK(unlink(program));
    CHECK_OK(rmdir(folder));
}

TEST(every_offset_goes_to_its_address_by_the_program_headers)
{
    static const char *const fixtures[] = {
        "inline_gcc_dwarf5", "inline_gcc_fixed", "inline_gcc_moved",
        "inline_gcc_packed", "inline_clang_dwarf5"};
    for (size_t i = 0; i < sizeof fixtures / sizeof fixtures[0]; i++) {
        if (!fixture_exists(fixtures[i]))
            continue;
        struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
        struct sym_module *module = fixture_open(symbolizer, fixtures[i]);
        uint64_t vaddr = fixture_symbol(fixtures[i], "outer"), found = 0;
        uint64_t offset = fixture_offset(fixtures[i], vaddr);
        CHECK(sym_module_vaddr(module, offset, &found));
        CHECK_EQ(found, vaddr);
        CHECK(!sym_module_vaddr(module, UINT64_MAX, &found));
        check_stacks(module, fixtures[i]);
        sym_symbolizer_destroy(symbolizer);
    }
}

TEST(text_moved_by_the_linker_does_not_lie_at_its_file_offset)
{
    uint64_t vaddr = fixture_symbol("inline_gcc_moved", "outer");
    CHECK(fixture_offset("inline_gcc_moved", vaddr) != vaddr);
}

/* ---- separate debug files ---- */

TEST(a_debug_file_is_found_by_its_link_beside_the_file)
{
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_module *module = fixture_open(symbolizer, "linked/inline");
    check_stacks(module, "inline_gcc_dwarf5");
    CHECK_STR(sym_module_problem(module), "");
    sym_symbolizer_destroy(symbolizer);
}

TEST(a_debug_file_without_build_id_is_believed_by_its_crc)
{
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_module *module = fixture_open(symbolizer, "linked/no_id");
    const uint8_t *bytes;
    CHECK_EQ(sym_module_build_id(module, &bytes), 0);
    check_stacks(module, "no_id");
    sym_symbolizer_destroy(symbolizer);
}

TEST(a_debug_file_is_found_by_build_id)
{
    struct sym_symbolizer *symbolizer =
        fixture_symbolizer(fixture_path("by_id"));
    struct sym_module *module = fixture_open(symbolizer, "stripped");
    check_stacks(module, "inline_gcc_dwarf5");
    sym_symbolizer_destroy(symbolizer);
}

TEST(a_debug_file_is_found_below_a_folder_by_the_path_of_the_target)
{
    /* The file opened lies elsewhere, as one below /proc/PID/root does. */
    char path[4096];
    (void)snprintf(path, sizeof path, "/%s", "inline");
    struct sym_symbolizer *symbolizer =
        fixture_symbolizer(fixture_path("linked"));
    struct sym_source source = {
        .path = path, .alternative = fixture_path("linked/inline")};
    struct sym_module *module = NULL;
    CHECK_OK(sym_module_open(symbolizer, &source, &module, NULL));
    check_stacks(module, "inline_gcc_dwarf5");
    sym_symbolizer_destroy(symbolizer);
}

static void check_refused(const char *fixture, const char *debug_file)
{
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_module *module = fixture_open(symbolizer, fixture);
    uint64_t vaddr = fixture_symbol("inline_gcc_dwarf5", "at_10");
    CHECK_EQ(fixture_lookup(module, vaddr).count, 0);
    CHECK(strstr(sym_module_problem(module), debug_file) != NULL);
    CHECK(strstr(sym_module_problem(module), "another build") != NULL);
    sym_symbolizer_destroy(symbolizer);
}

TEST(a_debug_file_with_another_crc_is_refused_with_the_reason)
{
    check_refused("linked/wrong_crc", "wrong.debug");
}

TEST(a_debug_file_with_another_build_id_is_refused_with_the_reason)
{
    check_refused("linked/wrong_id", "inline.debug");
}
