/* The cache of modules, and functions of inconvenient shapes. */
#include "tests/harness.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "tests/symbolizer/fixture.h"

static enum status open_with_build_id(
    struct sym_symbolizer *symbolizer, const char *path,
    const char *alternative, const uint8_t *build_id,
    struct sym_module **module, struct diag *diag)
{
    struct sym_source source = {
        .path = path,
        .alternative = alternative,
        .build_id = build_id,
        .build_id_bytes = 20};
    return sym_module_open(symbolizer, &source, module, diag);
}

static void build_id_of(const char *fixture, uint8_t build_id[20])
{
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    const uint8_t *bytes;
    CHECK_EQ(
        sym_module_build_id(fixture_open(symbolizer, fixture), &bytes), 20);
    memcpy(build_id, bytes, 20);
    sym_symbolizer_destroy(symbolizer);
}

/* ---- which file ---- */

TEST(a_file_of_another_build_is_never_used)
{
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_module *module = NULL;
    struct diag diag = {0};
    uint8_t build_id[20];
    build_id_of("shapes", build_id);
    build_id[0] ^= 1;
    CHECK_EQ(
        open_with_build_id(
            symbolizer, fixture_path("shapes"), NULL, build_id, &module, &diag),
        STATUS_MISMATCH);
    CHECK(module == NULL);
    CHECK(strstr(diag.text, "another build") != NULL);
    CHECK_EQ(
        open_with_build_id(
            symbolizer, fixture_path("no_id"), NULL, build_id, &module, &diag),
        STATUS_MISMATCH);
    CHECK(strstr(diag.text, "absent") != NULL);
    sym_symbolizer_destroy(symbolizer);
}

TEST(the_build_id_chooses_between_a_path_and_its_alternative)
{
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_module *module = NULL;
    struct diag diag = {0};
    uint8_t build_id[20];
    build_id_of("shapes", build_id);
    CHECK_OK(open_with_build_id(
        symbolizer, fixture_path("stripped"), fixture_path("shapes"), build_id,
        &module, &diag));
    uint64_t vaddr = fixture_symbol("shapes", "hot_and_cold");
    CHECK_STR(fixture_lookup(module, vaddr).rows[0].function, "hot_and_cold");
    sym_symbolizer_destroy(symbolizer);
}

TEST(of_two_failures_the_wrong_build_is_the_one_to_tell)
{
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_module *module = NULL;
    struct diag diag = {0};
    uint8_t build_id[20];
    build_id_of("shapes", build_id);
    CHECK_EQ(
        open_with_build_id(
            symbolizer, "/nonexistent/a", fixture_path("stripped"), build_id,
            &module, &diag),
        STATUS_MISMATCH);
    CHECK_EQ(
        open_with_build_id(
            symbolizer, fixture_path("stripped"), "/nonexistent/a", build_id,
            &module, &diag),
        STATUS_MISMATCH);
    sym_symbolizer_destroy(symbolizer);
}

TEST(without_a_build_id_the_alternative_is_the_one_that_ran)
{
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_source source = {
        .path = fixture_path("stripped"),
        .alternative = fixture_path("shapes")};
    struct sym_module *module = NULL;
    CHECK_OK(sym_module_open(symbolizer, &source, &module, NULL));
    uint64_t vaddr = fixture_symbol("shapes", "aliased");
    CHECK_STR(fixture_lookup(module, vaddr).rows[0].function, "aliased");
    sym_symbolizer_destroy(symbolizer);
}

TEST(a_module_is_opened_once_until_its_file_changes)
{
    char path[] = "/tmp/watchfire-module-XXXXXX";
    close(mkstemp(path));
    size_t bytes;
    uint8_t *content = fixture_read("labels", &bytes);
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_source source = {.path = path};
    struct sym_module *modules[3];
    for (int i = 0; i < 3; i++) {
        if (i != 1) { /* written anew: another inode, another file */
            unlink(path);
            FILE *file = fopen(path, "we");
            assert_non_null(file);
            CHECK_EQ(fwrite(content, 1, bytes, file), bytes);
            if (i == 2)
                CHECK_EQ(fwrite(content, 1, 1, file), 1);
            CHECK_OK(fclose(file));
        }
        CHECK_OK(sym_module_open(symbolizer, &source, &modules[i], NULL));
    }
    CHECK(modules[0] == modules[1]);
    CHECK(modules[0] != modules[2]);
    sym_symbolizer_destroy(symbolizer);
    free(content);
    unlink(path);
}

TEST(an_image_in_memory_answers_like_its_file)
{
    size_t bytes;
    uint8_t *content = fixture_read("shapes", &bytes);
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_source source = {
        .path = "from memory", .image = content, .image_bytes = bytes};
    struct sym_module *module = NULL;
    CHECK_OK(sym_module_open(symbolizer, &source, &module, NULL));
    free(content);
    uint64_t vaddr = fixture_symbol("shapes", "aliased");
    CHECK_STR(fixture_lookup(module, vaddr).rows[0].function, "aliased");
    sym_symbolizer_destroy(symbolizer);
}

TEST(the_vdso_of_this_process_has_names)
{
    if (getauxval(AT_SYSINFO_EHDR) == 0)
        skip();
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_source source = {.kind = SYM_VDSO};
    struct sym_module *module = NULL;
    CHECK_OK(sym_module_open(symbolizer, &source, &module, NULL));
    bool has_clock = false;
    for (uint64_t offset = 0; offset < 0x4000 && !has_clock; offset++) {
        uint64_t vaddr;
        if (!sym_module_vaddr(module, offset, &vaddr))
            continue;
        struct sym_frames frames = fixture_lookup(module, vaddr);
        has_clock = frames.count > 0 &&
                    strstr(frames.rows[0].function, "clock_gettime") != NULL;
    }
    CHECK(has_clock);

    static const uint8_t other_kernel[20] = {1};
    source.build_id = other_kernel;
    source.build_id_bytes = sizeof other_kernel;
    CHECK_EQ(
        sym_module_open(symbolizer, &source, &module, NULL), STATUS_MISMATCH);
    sym_symbolizer_destroy(symbolizer);
}

TEST(the_kernel_is_read_from_its_list_of_symbols)
{
    char path[] = "/tmp/watchfire-kallsyms-XXXXXX";
    int fd = mkstemp(path);
    static const char text[] = "ffffffff81000000 T do_syscall_64\n"
                               "ffffffff81000100 t later\n";
    CHECK_EQ(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_source source = {.kind = SYM_KERNEL, .path = path};
    struct sym_module *module = NULL;
    CHECK_OK(sym_module_open(symbolizer, &source, &module, NULL));
    uint64_t vaddr = 0;
    CHECK(sym_module_vaddr(module, 0xffffffff81000042, &vaddr));
    struct sym_frames frames = fixture_lookup(module, vaddr);
    CHECK_EQ(frames.count, 1);
    CHECK_STR(frames.rows[0].function, "do_syscall_64");
    CHECK_EQ(frames.start_vaddr, 0xffffffff81000000);
    CHECK_EQ(fixture_lookup(module, 0x1000).count, 0);
    sym_symbolizer_destroy(symbolizer);
    unlink(path);
}

/* Those of the kernel that runs. */
static size_t kernel_build_id(uint8_t id[20])
{
    uint8_t notes[64] = {0};
    int fd = open("/sys/kernel/notes", O_RDONLY | O_CLOEXEC);
    ssize_t count = fd >= 0 ? read(fd, notes, sizeof notes) : 0;
    if (fd >= 0)
        (void)close(fd);
    /* It comes first, as a rule: lengths 4 and 20, type 3, "GNU". */
    static const uint8_t head[] = {4, 0, 0, 0, 20, 0, 0, 0, 3, 0, 0, 0, 'G'};
    if (count < 36 || memcmp(notes, head, sizeof head) != 0)
        return 0;
    memcpy(id, notes + 16, 20);
    return 20;
}

TEST(the_list_of_another_kernel_is_never_used)
{
    uint8_t id[20];
    struct sym_source source = {
        .kind = SYM_KERNEL, .build_id = id, .build_id_bytes = sizeof id};
    if (kernel_build_id(id) == 0)
        skip();
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_module *module;
    CHECK_OK(sym_module_open(symbolizer, &source, &module, NULL));
    sym_symbolizer_destroy(symbolizer);
    id[3] ^= 1;
    symbolizer = fixture_symbolizer(NULL);
    CHECK_EQ(
        sym_module_open(symbolizer, &source, &module, NULL), STATUS_MISMATCH);
    sym_symbolizer_destroy(symbolizer);
}

TEST(a_kernel_without_a_list_of_symbols_says_so_and_knows_nothing)
{
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_source source = {
        .kind = SYM_KERNEL, .path = "/nonexistent/kallsyms"};
    struct sym_module *module = NULL;
    CHECK_OK(sym_module_open(symbolizer, &source, &module, NULL));
    CHECK_EQ(fixture_lookup(module, 0xffffffff81000042).count, 0);
    CHECK(strstr(sym_module_problem(module), "nonexistent") != NULL);
    sym_symbolizer_destroy(symbolizer);
}

/* prelink(8) moves a program after its debug file was split from it. */
TEST(a_file_that_was_moved_is_named_by_the_debug_file_it_had)
{
    enum { MOVED = 0x10000000 };
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_module *moved = fixture_open(symbolizer, "prelinked/inline");
    struct sym_module *whole = fixture_open(symbolizer, "inline_gcc_dwarf5");
    uint64_t end = fixture_symbol("inline_gcc_dwarf5", "other") + 16;
    for (uint64_t vaddr = fixture_symbol("inline_gcc_dwarf5", "outer");
         vaddr < end; vaddr++) {
        struct sym_frames wanted = fixture_lookup(whole, vaddr);
        struct sym_frames found = fixture_lookup(moved, vaddr + MOVED);
        CHECK_EQ(found.count, wanted.count);
        CHECK_EQ(found.start_vaddr, wanted.start_vaddr + MOVED);
        for (size_t i = 0; i < wanted.count; i++) {
            CHECK_STR(found.rows[i].function, wanted.rows[i].function);
            CHECK_STR(found.rows[i].file, wanted.rows[i].file);
            CHECK_EQ(found.rows[i].line, wanted.rows[i].line);
        }
    }
    CHECK_STR(sym_module_problem(moved), "");
    sym_symbolizer_destroy(symbolizer);
}

/* ---- shapes ---- */

TEST(an_address_inside_a_final_noreturn_call_belongs_to_its_caller)
{
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_module *module = fixture_open(symbolizer, "shapes");
    uint64_t return_address = fixture_symbol("shapes", "ends_in_a_call") +
                              fixture_symbol_size("shapes", "ends_in_a_call");
    struct sym_frames frames = fixture_lookup(module, return_address - 1);
    CHECK_EQ(frames.count, 1);
    CHECK_STR(frames.rows[0].function, "ends_in_a_call");
    CHECK(frames.rows[0].line > 0);
    sym_symbolizer_destroy(symbolizer);
}

TEST(the_cold_part_of_a_function_is_the_function)
{
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_module *module = fixture_open(symbolizer, "shapes");
    uint64_t start = fixture_symbol("shapes", "hot_and_cold");
    uint64_t cold = fixture_symbol("shapes", "hot_and_cold.cold");
    uint64_t size = fixture_symbol_size("shapes", "hot_and_cold");
    CHECK(cold < start || cold >= start + size); /* the compiler did split */
    struct sym_frames frames = fixture_lookup(module, cold);
    CHECK_EQ(frames.count, 1);
    CHECK_STR(frames.rows[0].function, "hot_and_cold");
    CHECK_EQ(frames.rows[0].line, fixture_line("shapes.c", "cold"));
    CHECK_EQ(frames.start_vaddr, start);
    sym_symbolizer_destroy(symbolizer);
}

TEST(constructors_are_named_by_their_own_linkage_names)
{
    if (!fixture_exists("constructors"))
        return;
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_module *module = fixture_open(symbolizer, "constructors");
    static const char *const names[] = {"_ZN5shapeC1Ei", "_ZN5shapeC2Ei"};
    for (size_t i = 0; i < 2; i++) {
        uint64_t vaddr = fixture_symbol("constructors", names[i]);
        struct sym_frames frames = fixture_lookup(module, vaddr);
        CHECK(frames.count > 0);
        const struct sym_frame *outer = &frames.rows[frames.count - 1];
        CHECK_STR(outer->raw_name, names[i]);
        CHECK_STR(outer->function, "shape::shape(int)");
    }
    uint64_t twice = fixture_symbol("constructors", "_ZN4deep5twiceIiEET_S1_");
    CHECK_STR(
        fixture_lookup(module, twice).rows[0].function,
        "int deep::twice<int>(int)");
    sym_symbolizer_destroy(symbolizer);
}

TEST(a_mangled_symbol_says_more_than_a_plain_name_in_dwarf)
{
    if (!fixture_exists("constructors_g1"))
        return;
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_module *module = fixture_open(symbolizer, "constructors_g1");
    uint64_t twice =
        fixture_symbol("constructors_g1", "_ZN4deep5twiceIiEET_S1_");
    CHECK_STR(
        fixture_lookup(module, twice).rows[0].function,
        "int deep::twice<int>(int)");
    uint64_t main_start = fixture_symbol("constructors_g1", "main");
    struct sym_frames frames = fixture_lookup(module, main_start);
    CHECK_STR(frames.rows[frames.count - 1].function, "main");
    sym_symbolizer_destroy(symbolizer);
}

TEST(code_that_several_units_describe_is_that_of_the_first)
{
    if (!fixture_exists("comdat"))
        return;
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_module *module = fixture_open(symbolizer, "comdat");
    uint64_t shared = fixture_symbol("comdat", "_Z6sharedPVi");
    struct sym_frames frames = fixture_lookup(module, shared);
    CHECK_EQ(frames.count, 1);
    CHECK_STR(frames.rows[0].function, "shared(int volatile*)");
    CHECK_STR(frames.rows[0].file, "/first/comdat.cc");
    sym_symbolizer_destroy(symbolizer);
}

TEST(addresses_outside_of_all_code_have_no_frames)
{
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_module *module = fixture_open(symbolizer, "shapes");
    static const uint64_t vaddrs[] = {0, 1, 0x10, UINT64_MAX, UINT64_MAX - 1};
    for (size_t i = 0; i < sizeof vaddrs / sizeof vaddrs[0]; i++)
        CHECK_EQ(fixture_lookup(module, vaddrs[i]).count, 0);
    sym_symbolizer_destroy(symbolizer);
}

TEST(a_stripped_file_without_a_debug_file_has_dynamic_names_at_most)
{
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_module *module = fixture_open(symbolizer, "stripped");
    uint64_t vaddr = fixture_symbol("inline_gcc_dwarf5", "outer");
    CHECK_EQ(fixture_lookup(module, vaddr).count, 0);
    CHECK_STR(sym_module_problem(module), "");
    sym_symbolizer_destroy(symbolizer);
}
