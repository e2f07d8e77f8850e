/* The names tier: which symbol speaks for an address. */
#include "tests/harness.h"

#include <stdio.h>
#include <string.h>

#include "symbolizer/demangle.h"
#include "symbolizer/names.h"
#include "tests/symbolizer/fixture.h"

#define FUNCTION(address, bytes, text, bind)                                   \
    {                                                                          \
        .vaddr = address, .size = bytes, .limit = 0x1000, .name = text,        \
        .type = STT_FUNC, .binding = bind                                      \
    }

static struct sym_names names_of(const struct sym_symbol *rows, size_t count)
{
    struct sym_names names = {0};
    for (size_t i = 0; i < count; i++)
        CHECK(sym_names_add(&names, &rows[i]));
    CHECK(sym_names_finish(&names));
    return names;
}

static const char *name_at(const struct sym_names *names, uint64_t vaddr)
{
    const struct sym_symbol *symbol = sym_names_find(names, vaddr);
    return symbol ? symbol->name : "";
}

TEST(names_prefer_global_to_weak_to_local)
{
    const struct sym_symbol rows[] = {
        FUNCTION(0x100, 16, "local", STB_LOCAL),
        FUNCTION(0x100, 16, "global", STB_GLOBAL),
        FUNCTION(0x100, 16, "weak", STB_WEAK),
        FUNCTION(0x200, 16, "weak2", STB_WEAK),
        FUNCTION(0x200, 16, "local2", STB_LOCAL)};
    struct sym_names names = names_of(rows, 5);
    CHECK_STR(name_at(&names, 0x100), "global");
    CHECK_STR(name_at(&names, 0x20f), "weak2");
    sym_names_fini(&names);
}

TEST(names_prefer_functions_to_labels_to_objects)
{
    struct sym_symbol rows[] = {
        FUNCTION(0x100, 16, "object", STB_GLOBAL),
        FUNCTION(0x100, 16, "function", STB_LOCAL),
        FUNCTION(0x100, 16, "label", STB_GLOBAL),
        FUNCTION(0x200, 16, "object2", STB_GLOBAL),
        FUNCTION(0x200, 16, "label2", STB_LOCAL),
        FUNCTION(0x300, 16, "resolver", STB_LOCAL)};
    rows[0].type = rows[3].type = STT_OBJECT;
    rows[2].type = rows[4].type = STT_NOTYPE;
    rows[5].type = STT_GNU_IFUNC;
    struct sym_names names = names_of(rows, 6);
    CHECK_STR(name_at(&names, 0x100), "function");
    CHECK_STR(name_at(&names, 0x200), "label2");
    CHECK_STR(name_at(&names, 0x300), "resolver");
    sym_names_fini(&names);
}

TEST(names_of_equal_rank_prefer_few_underscores_then_short_then_alphabet)
{
    const struct sym_symbol rows[] = {
        FUNCTION(0x100, 16, "__write", STB_GLOBAL),
        FUNCTION(0x100, 16, "write", STB_GLOBAL),
        FUNCTION(0x100, 16, "__libc_write", STB_GLOBAL),
        FUNCTION(0x200, 16, "b", STB_GLOBAL),
        FUNCTION(0x200, 16, "long", STB_GLOBAL),
        FUNCTION(0x200, 16, "a", STB_GLOBAL)};
    struct sym_names names = names_of(rows, 6);
    CHECK_STR(name_at(&names, 0x100), "write");
    CHECK_STR(name_at(&names, 0x200), "a");
    sym_names_fini(&names);
}

TEST(names_ignore_sections_files_tls_and_labels_of_tools)
{
    struct sym_symbol rows[] = {
        FUNCTION(0x100, 64, "section", STB_LOCAL),
        FUNCTION(0x100, 64, "file", STB_LOCAL),
        FUNCTION(0x100, 64, "tls", STB_LOCAL),
        FUNCTION(0x100, 64, ".Ltmp1", STB_LOCAL),
        FUNCTION(0x100, 64, "$x", STB_LOCAL),
        FUNCTION(0x100, 64, "$d.17", STB_LOCAL),
        FUNCTION(0x100, 64, "", STB_GLOBAL)};
    rows[0].type = STT_SECTION;
    rows[1].type = STT_FILE;
    rows[2].type = STT_TLS;
    struct sym_names names = names_of(rows, 7);
    CHECK(sym_names_find(&names, 0x100) == NULL);
    sym_names_fini(&names);
}

TEST(names_keep_dollars_that_are_part_of_a_name)
{
    const struct sym_symbol rows[] = {
        FUNCTION(0x100, 4, "$method", STB_GLOBAL)};
    struct sym_names names = names_of(rows, 1);
    CHECK_STR(name_at(&names, 0x100), "$method");
    sym_names_fini(&names);
}

TEST(names_without_size_reach_the_next_symbol_or_the_end_of_the_section)
{
    const struct sym_symbol rows[] = {
        FUNCTION(0x100, 0, "first", STB_GLOBAL),
        FUNCTION(0x180, 0x10, "sized", STB_GLOBAL),
        FUNCTION(0x200, 0, "last", STB_GLOBAL)};
    struct sym_names names = names_of(rows, 3);
    CHECK_STR(name_at(&names, 0x17f), "first");
    CHECK_STR(name_at(&names, 0x18f), "sized");
    CHECK_STR(name_at(&names, 0x190), "");
    CHECK_STR(name_at(&names, 0xfff), "last");
    CHECK_STR(name_at(&names, 0x1000), "");
    sym_names_fini(&names);
}

TEST(names_of_an_alias_with_a_size_have_that_size)
{
    const struct sym_symbol rows[] = {
        FUNCTION(0x100, 0, "best", STB_GLOBAL),
        FUNCTION(0x100, 0x10, "alias", STB_LOCAL)};
    struct sym_names names = names_of(rows, 2);
    CHECK_STR(name_at(&names, 0x10f), "best");
    CHECK_EQ(sym_names_find(&names, 0x10f)->size, 0x10);
    CHECK_STR(name_at(&names, 0x110), "");
    sym_names_fini(&names);
}

TEST(names_without_size_from_a_dynamic_table_are_exact)
{
    struct sym_symbol rows[] = {FUNCTION(0x100, 0, "stub", STB_GLOBAL)};
    rows[0].is_exact = true;
    struct sym_names names = names_of(rows, 1);
    CHECK_STR(name_at(&names, 0x100), "stub");
    CHECK_STR(name_at(&names, 0x101), "");
    sym_names_fini(&names);
}

TEST(names_without_size_in_both_tables_are_not_exact)
{
    struct sym_symbol rows[] = {
        FUNCTION(0x100, 0, "both", STB_GLOBAL),
        FUNCTION(0x100, 0, "both", STB_GLOBAL)};
    rows[1].is_exact = true;
    struct sym_names names = names_of(rows, 2);
    CHECK_STR(name_at(&names, 0x101), "both");
    sym_names_fini(&names);
}

TEST(names_inside_a_sized_function_need_a_size_to_speak)
{
    struct sym_symbol rows[] = {
        FUNCTION(0x100, 0x40, "whole", STB_GLOBAL),
        FUNCTION(0x110, 0, "label", STB_GLOBAL),
        FUNCTION(0x120, 0x10, "part", STB_GLOBAL)};
    struct sym_names names = names_of(rows, 3);
    CHECK_STR(name_at(&names, 0x110), "whole");
    CHECK_STR(name_at(&names, 0x11f), "whole");
    CHECK_STR(name_at(&names, 0x12f), "part");
    CHECK_STR(name_at(&names, 0x130), "whole");
    sym_names_fini(&names);
}

TEST(names_do_not_leave_their_section)
{
    struct sym_symbol rows[] = {
        FUNCTION(0xff0, UINT64_MAX, "huge", STB_GLOBAL)};
    struct sym_names names = names_of(rows, 1);
    CHECK_STR(name_at(&names, 0xfff), "huge");
    CHECK_STR(name_at(&names, 0x1000), "");
    sym_names_fini(&names);
}

TEST(names_lose_their_version)
{
    const struct sym_symbol versioned =
        FUNCTION(0x100, 1, "memcpy@@GLIBC_2.14", STB_GLOBAL);
    CHECK_EQ(sym_symbol_name_bytes(&versioned), strlen("memcpy"));
    const struct sym_symbol plain = FUNCTION(0x100, 1, "@odd", STB_GLOBAL);
    CHECK_EQ(sym_symbol_name_bytes(&plain), strlen("@odd"));
}

TEST(names_come_from_kallsyms)
{
    char text[] = "ffffffff81000000 T _stext\n"
                  "ffffffff81000010 t helper\t[module]\n"
                  "ffffffff81000020 D data\n"
                  "no line at all\n"
                  "ffffffff81000030 W weak";
    struct sym_names names = {0};
    bool is_hidden;
    CHECK(sym_names_add_kallsyms(&names, text, &is_hidden));
    CHECK(!is_hidden);
    CHECK(sym_names_finish(&names));
    CHECK_STR(name_at(&names, 0xffffffff8100000f), "_stext");
    CHECK_STR(name_at(&names, 0xffffffff81000025), "helper");
    CHECK_STR(name_at(&names, 0xffffffff81000031), "weak");
    sym_names_fini(&names);
}

TEST(names_tell_when_the_kernel_hides_them)
{
    char text[] = "0000000000000000 T _stext\n0000000000000000 t helper\n";
    struct sym_names names = {0};
    bool is_hidden;
    CHECK(sym_names_add_kallsyms(&names, text, &is_hidden));
    CHECK(is_hidden);
    CHECK(sym_names_finish(&names));
    CHECK(sym_names_find(&names, 0) == NULL);
    sym_names_fini(&names);
}

/* ---- from files ---- */

static const char *function_at(const char *fixture, uint64_t vaddr)
{
    static char name[256];
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_frames frames =
        fixture_lookup(fixture_open(symbolizer, fixture), vaddr);
    (void)snprintf(
        name, sizeof name, "%s", frames.count ? frames.rows[0].function : "");
    sym_symbolizer_destroy(symbolizer);
    return name;
}

TEST(names_of_assembly_come_without_debug_information)
{
    uint64_t sized = fixture_symbol("labels", "sized_function");
    uint64_t sizeless = fixture_symbol("labels", "sizeless_function");
    uint64_t start = fixture_symbol("labels", "_start");
    CHECK_STR(function_at("labels", sized), "sized_function");
    CHECK_STR(function_at("labels", sized + 1), "sized_function");
    CHECK_STR(function_at("labels", sizeless), "sizeless_function");
    CHECK_STR(function_at("labels", start - 1), "sizeless_function");
    CHECK_STR(function_at("labels", start), "_start");
    CHECK_STR(function_at("labels", start + 1), "");
}

TEST(names_come_from_the_compressed_table_of_a_stripped_file)
{
    if (!fixture_exists("embedded"))
        return;
    uint64_t outer = fixture_symbol("inline_gcc_dwarf5", "outer");
    CHECK_STR(function_at("embedded", outer + 1), "outer");
    CHECK_STR(function_at("stripped", outer + 1), "");
}

TEST(names_of_an_address_with_aliases_are_stable)
{
    uint64_t vaddr = fixture_symbol("shapes", "aliased");
    struct sym_options options = {.names_only = true};
    struct sym_symbolizer *symbolizer = sym_symbolizer_create(&options);
    struct sym_module *module = fixture_open(symbolizer, "shapes");
    struct sym_frames frames = fixture_lookup(module, vaddr);
    CHECK_EQ(frames.count, 1);
    CHECK_STR(frames.rows[0].function, "aliased");
    CHECK_STR(frames.rows[0].file, "");
    CHECK_EQ(frames.start_vaddr, vaddr);
    sym_symbolizer_destroy(symbolizer);
}

TEST(names_of_stubs_are_those_of_the_functions_they_jump_to)
{
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_module *module = fixture_open(symbolizer, "shapes");
    uint64_t last = fixture_symbol("shapes", "main");
    bool has_exit = false;
    for (uint64_t vaddr = last - 0x200; vaddr < last; vaddr++) {
        struct sym_frames frames = fixture_lookup(module, vaddr);
        if (frames.count == 1 &&
            strcmp(frames.rows[0].function, "exit@plt") == 0) {
            has_exit = true;
            CHECK_EQ(frames.start_vaddr % 16, 0);
            CHECK(vaddr - frames.start_vaddr < 16);
        }
    }
    CHECK(has_exit);
    sym_symbolizer_destroy(symbolizer);
}

/* ---- mangled ---- */

static void check_demangled(const char *mangled, const char *wanted)
{
    char text[512];
    size_t bytes = sym_demangle(mangled, text, sizeof text);
    CHECK_EQ(bytes, strlen(wanted));
    if (bytes > 0)
        CHECK_STR(text, wanted);
}

TEST(demangling_knows_cpp_and_both_manglings_of_rust)
{
    check_demangled("_ZN4deep5twiceIiEET_S1_", "int deep::twice<int>(int)");
    check_demangled(
        "_ZN4core3fmt5write17h0123456789abcdefE", "core::fmt::write");
    check_demangled("_RNvCs1234_7mycrate3foo", "mycrate::foo");
    check_demangled("_Znwm@plt", "operator new(unsigned long)@plt");
    check_demangled("main", "");
    check_demangled("_start@plt", "");
    check_demangled("_start", "");
    check_demangled("_Znonsense", "");
}

TEST(demangling_gives_up_on_a_name_that_outgrows_its_room)
{
    char text[8];
    CHECK_EQ(sym_demangle("_ZN4deep5twiceIiEET_S1_", text, sizeof text), 0);
    CHECK_EQ(sym_demangle("_Z1fv", text, sizeof text), 3);
    CHECK_STR(text, "f()");
}

/* Each argument is a pair of two of the one before: 2^34 names in 300 bytes. */
TEST(demangling_a_name_that_doubles_again_and_again_ends)
{
    char name[512] = "_Z1fSt4pairIiiE";
    size_t used = strlen(name);
    const char *const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (int i = 0; i < 34; i++) {
        char digit = digits[i];
        used += (size_t)snprintf(
            name + used, sizeof name - used, "S_IS%c_S%c_E", digit, digit);
    }
    char text[SYM_DEMANGLED_BYTES];
    CHECK_EQ(sym_demangle(name, text, sizeof text), 0);
    name[strlen("_Z1fSt4pairIiiES_IS0_S0_E")] = '\0';
    check_demangled(
        name, "f(std::pair<int, int>, std::pair<std::pair<int, int>, "
              "std::pair<int, int> >)");
}

static const char *shortened(const char *name)
{
    static char text[256];
    (void)strcpy(text, name);
    sym_demangled_shorten(text);
    return text;
}

TEST(names_of_d_are_demangled_and_their_references_bounded)
{
    char text[256];
    CHECK_EQ(sym_demangle("_D4test3fooFZv", text, sizeof text), 10);
    CHECK_STR(text, "test.foo()");
    CHECK_EQ(sym_demangle("_Dmain", text, sizeof text), 0);
    char name[64] = "_D1a1bF";
    memset(name + 7, 'Q', 20);
    CHECK_EQ(sym_demangle(name, text, sizeof text), 0);
}

TEST(names_are_shortened_between_the_brackets_of_templates)
{
    CHECK_STR(
        shortened("std::map<int, std::less<int> >::find(int const&)"),
        "std::map<...>::find(int const&)");
    CHECK_STR(
        shortened("void f<std::function<void (a::b<int>)>, 4>(c<double>*)"),
        "void f<...>(c<...>*)");
    CHECK_STR(
        shortened("<alloc::vec::Vec<a::B> as core::ops::Drop>::drop"),
        "<alloc::vec::Vec<...> as core::ops::Drop>::drop");
    CHECK_STR(
        shortened("<&<a::Long<T> as Other>::Item as Trait>::call::<Closure>"),
        "<&<a::Long<T> as Other>::Item as Trait>::call::<...>");
    CHECK_STR(shortened("main"), "main");
    CHECK_STR(shortened("a<i>::b"), "a<i>::b");
}

TEST(names_of_operators_keep_their_brackets)
{
    CHECK_STR(
        shortened("bool operator< <char, long>(x<char, 1> const&)"),
        "bool operator< <...>(x<...> const&)");
    CHECK_STR(
        shortened("std::ostream& operator<<(std::ostream&, int)"),
        "std::ostream& operator<<(std::ostream&, int)");
    CHECK_STR(
        shortened("ptr<abcdef, ghi>::operator->() const"),
        "ptr<...>::operator->() const");
    CHECK_STR(shortened("a::operator>>=(int)"), "a::operator>>=(int)");
}

TEST(names_with_brackets_that_do_not_match_stay)
{
    CHECK_STR(shortened("broken<int, (a > b"), "broken<int, (a > b");
    CHECK_STR(
        shortened("f<(int)4, (g > h)>::operator()"), "f<...>::operator()");
}
