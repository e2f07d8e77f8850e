/* Where functions of stripped files begin; their symbols tell the truth. */
#include "tests/harness.h"

#include <stdlib.h>
#include <string.h>

#include "symbolizer/fde_starts.h"
#include "symbolizer/image_open.h"
#include "tests/symbolizer/fixture.h"

/* ---- whole files ---- */

/* Every address of a function has no name and that function's start. */
static void check_function(
    struct sym_module *module, const char *truth, const char *function)
{
    uint64_t start = fixture_symbol(truth, function);
    uint64_t size = fixture_symbol_size(truth, function);
    CHECK(size > 1);
    for (uint64_t vaddr = start; vaddr < start + size; vaddr++) {
        struct sym_frames frames = fixture_lookup(module, vaddr);
        CHECK_EQ(frames.count, 0);
        CHECK_EQ(frames.start_vaddr, start);
    }
}

static void check_stripped(const char *fixture, const char *truth)
{
    static const char *const functions[] = {
        "first", "second", "rare", "split", "main"};
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_module *module = fixture_open(symbolizer, fixture);
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        check_function(module, truth, functions[i]);
    sym_symbolizer_destroy(symbolizer);
}

TEST(starts_of_a_stripped_file_come_from_the_header)
{
    check_stripped("starts_stripped", "starts");
}

TEST(starts_survive_a_removed_header)
{
    check_stripped("starts_removed", "starts");
}

TEST(starts_of_a_file_linked_without_a_header_are_found)
{
    check_stripped("starts_bare_stripped", "starts_bare");
}

TEST(starts_in_pointers_of_eight_bytes_are_found)
{
    if (fixture_exists("starts_large_stripped"))
        check_stripped("starts_large_stripped", "starts_large");
}

TEST(starts_of_a_split_function_are_two)
{
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_module *module = fixture_open(symbolizer, "starts_stripped");
    check_function(module, "starts", "split");
    check_function(module, "starts", "split.cold");
    CHECK(
        fixture_symbol("starts", "split") !=
        fixture_symbol("starts", "split.cold"));
    sym_symbolizer_destroy(symbolizer);
}

/* One FDE covers all stubs, and yet they keep their names. */
TEST(starts_leave_stubs_their_names)
{
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_module *module = fixture_open(symbolizer, "starts_stripped");
    uint64_t last = fixture_symbol("starts", "main");
    uint64_t stub = 0;
    for (uint64_t vaddr = last - 0x200; vaddr < last; vaddr++) {
        struct sym_frames frames = fixture_lookup(module, vaddr);
        if (frames.count == 0)
            continue;
        if (strcmp(frames.rows[0].function, "exit@plt") == 0)
            stub = frames.start_vaddr;
        CHECK(strstr(frames.rows[0].function, "@plt") != NULL);
        CHECK(vaddr - frames.start_vaddr < 16);
    }
    CHECK(stub != 0);
    /* The entry before the first stub is the linker's own, without a name. */
    struct sym_frames before = fixture_lookup(module, stub - 1);
    CHECK_EQ(before.count, 0);
    CHECK_EQ(before.start_vaddr, stub - 16);
    sym_symbolizer_destroy(symbolizer);
}

TEST(an_address_in_no_function_is_its_own_start)
{
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_module *module = fixture_open(symbolizer, "starts_stripped");
    uint64_t vaddr = fixture_symbol("starts", "_init") + 1;
    CHECK_EQ(fixture_lookup(module, vaddr).start_vaddr, vaddr);
    CHECK_EQ(fixture_lookup(module, UINT64_MAX).start_vaddr, UINT64_MAX);
    sym_symbolizer_destroy(symbolizer);
}

/* ---- symbols without a size ---- */

static void check_at(
    struct sym_module *module, uint64_t vaddr, const char *name, uint64_t start)
{
    struct sym_frames frames = fixture_lookup(module, vaddr);
    CHECK_EQ(frames.count, name[0] != '\0');
    if (frames.count > 0)
        CHECK_STR(frames.rows[0].function, name);
    CHECK_EQ(frames.start_vaddr, start);
}

static void check_sizeless(const char *fixture, const char *truth)
{
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_module *module = fixture_open(symbolizer, fixture);
    uint64_t sizeless = fixture_symbol(truth, "sizeless");
    uint64_t sized = fixture_symbol(truth, "sized");
    uint64_t nameless = sized - 16;
    check_at(module, sizeless, "sizeless", sizeless);
    check_at(module, sizeless + 2, "sizeless", sizeless);
    check_at(module, sizeless + 3, "", sizeless + 3); /* padding */
    check_at(module, nameless, "", nameless);
    check_at(module, nameless + 15, "", nameless);
    check_at(module, sized + 1, "sized", sized);
    check_at(module, sized + 2, "", sized); /* beyond its size */
    sym_symbolizer_destroy(symbolizer);
}

TEST(a_symbol_without_size_ends_with_its_function)
{
    check_sizeless("sizeless_static", "sizeless_static");
}

TEST(a_dynamic_symbol_without_size_has_all_of_its_function)
{
    check_sizeless("sizeless_stripped", "sizeless");
}

/* ---- damage ---- */

static uint32_t count_ranges(const void *bytes, size_t count)
{
    struct sym_image image;
    struct sym_fde_starts starts = {0};
    CHECK_OK(sym_image_open_memory(&image, "damaged", bytes, count, NULL));
    CHECK(sym_fde_starts_read(&starts, &image));
    uint32_t found = starts.ranges.count;
    for (uint32_t i = 0; i < found; i++) {
        const struct sym_fde_range *range = table_row(&starts.ranges, i);
        CHECK(range->start < range->end);
        CHECK(sym_image_is_code(&image, range->start));
        CHECK(sym_fde_starts_find(&starts, range->start) != NULL);
    }
    sym_fde_starts_fini(&starts);
    sym_image_close(&image);
    return found;
}

/* The place of a section in the file. */
static size_t section_offset(
    const char *fixture, const char *section, size_t *bytes)
{
    struct sym_image image;
    GElf_Shdr header;
    CHECK_OK(sym_image_open(&image, fixture_path(fixture), NULL));
    CHECK(sym_image_section(&image, section, &header) != NULL);
    sym_image_close(&image);
    *bytes = header.sh_size;
    return header.sh_offset;
}

/* Every byte of a section in turn takes every value that matters. */
static void damage(const char *fixture, const char *section)
{
    static const uint8_t values[] = {0x00, 0x01, 0x10, 0x7f, 0x80, 0xff};
    size_t count, section_bytes;
    uint8_t *bytes = fixture_read(fixture, &count);
    size_t first = section_offset(fixture, section, &section_bytes);
    uint32_t whole = count_ranges(bytes, count), poorer = 0;
    CHECK(whole > 5);
    for (size_t at = first; at < first + section_bytes; at++) {
        uint8_t kept = bytes[at];
        for (size_t i = 0; i < sizeof values; i++) {
            bytes[at] = values[i];
            poorer += count_ranges(bytes, count) < whole;
        }
        bytes[at] = kept;
    }
    CHECK(poorer > 0);
    free(bytes);
}

TEST(a_damaged_header_gives_fewer_starts)
{
    damage("starts_stripped", ".eh_frame_hdr");
}

TEST(damaged_entries_found_by_the_header_give_fewer_starts)
{
    damage("starts_stripped", ".eh_frame");
}

TEST(damaged_entries_found_by_walking_give_fewer_starts)
{
    damage("starts_bare_stripped", ".eh_frame");
}

TEST(a_header_of_an_unknown_version_is_passed_over)
{
    size_t count, section_bytes;
    uint8_t *bytes = fixture_read("starts_stripped", &count);
    size_t at =
        section_offset("starts_stripped", ".eh_frame_hdr", &section_bytes);
    uint32_t whole = count_ranges(bytes, count);
    bytes[at] = 2;
    /* All of .eh_frame is read instead. */
    CHECK_EQ(count_ranges(bytes, count), whole);
    free(bytes);
}

TEST(object_files_have_no_starts_yet)
{
    size_t count;
    uint8_t *bytes = fixture_read("starts.o", &count);
    CHECK_EQ(count_ranges(bytes, count), 0);
    free(bytes);
}
