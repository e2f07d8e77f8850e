/*
 * What C++ inlines, against truth by construction: fixtures/inline_cxx.cc, as
 * the compilers at hand write it at several levels of optimization.
 */
#include "tests/harness.h"

#include <stdio.h>
#include <string.h>

#include "tests/symbolizer/fixture.h"

#define SOURCE "inline_cxx.cc"
#define HEADER "inline_part.h"

struct wanted_frame {
    const char *function; /* a part of its name, demangled */
    const char *file;
    const char *mark; /* names the line */
};

struct wanted_stack {
    const char *label;
    struct wanted_frame frames[4]; /* innermost first */
};

static const struct wanted_stack wanted_stacks[] = {
    {"at_100",
     {{"shop::Box<long>::put<100>(long)", SOURCE, "put"},
      {"shop::Counter::count(int)", SOURCE, "put in count"}}},
    {"at_101",
     {{"deep<101>()", HEADER, "deep"},
      {"shop::Box<long>::put<100>(long)", SOURCE, "deep in put"},
      {"shop::Counter::count(int)", SOURCE, "put in count"}}},
    {"at_110",
     {{"{lambda(int)#1}::operator()(int) const", SOURCE, "lambda"},
      {"shop::twice<110>(int)", SOURCE, "lambda in twice"},
      {"shop::Counter::count(int)", SOURCE, "twice in count"}}},
    {"at_120",
     {{"deep<120>()", HEADER, "deep"},
      {"shop::Guard<120>::Guard()", SOURCE, "deep in constructor"},
      {"guarded", SOURCE, "guard"}}},
    {"at_121",
     {{"shop::Guard<120>::~Guard()", SOURCE, "destructor"},
      {"guarded", SOURCE, "end of guarded"}}},
    {"at_130",
     {{"shop::Box<char>::put<130>(char)", SOURCE, "put"},
      {"unlikely", SOURCE, "put in unlikely"}}},
    {"at_131",
     {{"deep<131>()", HEADER, "deep"},
      {"shop::Box<char>::put<130>(char)", SOURCE, "deep in put"},
      {"unlikely", SOURCE, "put in unlikely"}}},
};

enum { WANTED_STACKS = sizeof wanted_stacks / sizeof wanted_stacks[0] };

static size_t depth_of(const struct wanted_stack *wanted)
{
    size_t depth = 0;
    while (depth < 4 && wanted->frames[depth].function != NULL)
        depth++;
    return depth;
}

static bool is_as_wanted(
    const struct sym_frame *frame, const struct wanted_frame *wanted,
    bool is_inlined)
{
    return strstr(frame->function, wanted->function) != NULL &&
           strstr(frame->file, wanted->file) != NULL &&
           frame->line == fixture_line(wanted->file, wanted->mark) &&
           frame->is_inlined == is_inlined;
}

static void check_stack(
    struct sym_module *module, const char *fixture,
    const struct wanted_stack *wanted)
{
    size_t depth = depth_of(wanted);
    struct sym_frames frames =
        fixture_lookup(module, fixture_symbol(fixture, wanted->label));
    bool is_same = frames.count == depth;
    for (size_t f = 0; is_same && f < depth; f++)
        is_same =
            is_as_wanted(&frames.rows[f], &wanted->frames[f], f + 1 < depth);
    for (size_t i = 0; !is_same && i < frames.count; i++)
        print_error(
            "%s %s: %s %s:%u\n", fixture, wanted->label,
            frames.rows[i].function, frames.rows[i].file, frames.rows[i].line);
    CHECK(is_same);
}

static void check_variant(const char *fixture)
{
    if (!fixture_exists(fixture))
        return;
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_module *module = fixture_open(symbolizer, fixture);
    for (size_t i = 0; i < WANTED_STACKS; i++)
        check_stack(module, fixture, &wanted_stacks[i]);
    CHECK_STR(sym_module_problem(module), "");
    sym_symbolizer_destroy(symbolizer);
}

#define VARIANT(claim, fixture)                                                \
    TEST(claim)                                                                \
    {                                                                          \
        check_variant(fixture);                                                \
    }

VARIANT(inlines_of_cxx_from_gcc, "inline_cxx_gcc")
VARIANT(inlines_of_cxx_from_gcc_without_optimization, "inline_cxx_gcc_O0")
VARIANT(inlines_of_cxx_from_gcc_at_O3, "inline_cxx_gcc_O3")
VARIANT(inlines_of_cxx_from_gcc_for_size, "inline_cxx_gcc_Os")
VARIANT(inlines_of_cxx_from_gcc_in_dwarf_4, "inline_cxx_gcc_types")
VARIANT(inlines_of_cxx_from_gcc_after_lto, "inline_cxx_gcc_lto")
VARIANT(inlines_of_cxx_from_gcc_split, "inline_cxx_gcc_split")
VARIANT(inlines_of_cxx_from_clang, "inline_cxx_clang")
VARIANT(inlines_of_cxx_from_clang_without_optimization, "inline_cxx_clang_O0")
VARIANT(inlines_of_cxx_from_clang_at_O3, "inline_cxx_clang_O3")
VARIANT(inlines_of_cxx_from_clang_in_dwarf_4, "inline_cxx_clang_dwarf4")
VARIANT(inlines_of_cxx_from_clang_split, "inline_cxx_clang_split")
VARIANT(inlines_of_cxx_with_type_units_from_a_package, "package_cxx4/inline")
VARIANT(
    inlines_of_cxx_with_type_units_from_a_package_of_llvm,
    "package_cxx4_llvm/inline")
VARIANT(
    inlines_of_cxx_in_64_bit_dwarf_from_a_package, "package_cxx4_wide/inline")
VARIANT(
    inlines_of_cxx_with_type_units_from_a_package_in_dwarf_5,
    "package_cxx5/inline")

TEST(code_that_is_hardly_run_lies_apart_and_has_its_stack_all_the_same)
{
    const char *fixture = "inline_cxx_gcc";
    if (!fixture_exists(fixture))
        return;
    uint64_t cold = fixture_symbol(fixture, "at_130");
    uint64_t start = fixture_symbol(fixture, "unlikely");
    uint64_t size = fixture_symbol_size(fixture, "unlikely");
    CHECK(cold < start || cold >= start + size);
}
