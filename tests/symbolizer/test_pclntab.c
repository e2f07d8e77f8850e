/*
 * Go's own table: a program of the Go that is installed, against its DWARF;
 * and tables of all forms, made by hand.
 */
#include "tests/harness.h"

#include <string.h>

#include "tests/symbolizer/fixture.h"
#include "tests/symbolizer/go_maker.h"

static struct sym_module *open_file(
    struct sym_symbolizer *symbolizer, const struct go_file *file)
{
    struct sym_source source = {
        .path = "go", .image = file->bytes, .image_bytes = GO_FILE_BYTES};
    struct sym_module *module = NULL;
    CHECK_OK(sym_module_open(symbolizer, &source, &module, NULL));
    return module;
}

struct wanted {
    const char *function;
    uint32_t line;
};

static void check_frames(
    struct sym_frames frames, const struct wanted *wanted, size_t count)
{
    CHECK_EQ(frames.count, count);
    for (size_t i = 0; i < count; i++) {
        CHECK_STR(frames.rows[i].function, wanted[i].function);
        CHECK_STR(frames.rows[i].file, "/go/x.go");
        CHECK_EQ(frames.rows[i].line, wanted[i].line);
        CHECK_EQ(frames.rows[i].is_inlined, i + 1 < count);
    }
    CHECK_EQ(frames.start_vaddr, GO_START_VADDR + 0x10);
}

static void check_form(enum sym_pclntab_form form)
{
    struct go_file file;
    go_file_make(&file, form);
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_module *module = open_file(symbolizer, &file);

    /* C code before, one without lines, nothing behind. */
    CHECK_EQ(fixture_lookup(module, GO_TEXT_VADDR + 5).count, 0);
    struct sym_frames frames = fixture_lookup(module, GO_START_VADDR + 5);
    CHECK_EQ(frames.count, 1);
    CHECK_STR(frames.rows[0].function, "main.a");
    CHECK_STR(frames.rows[0].file, "");
    CHECK_EQ(fixture_lookup(module, GO_START_VADDR + 0x30).count, 0);

    static const struct wanted deep[] = {
        {"main.d", 7}, {"main.c", 3}, {"main.bb", 10}};
    static const struct wanted last[] = {{"main.bb", 11}};
    uint64_t bb = GO_START_VADDR + 0x10;
    check_frames(fixture_lookup(module, bb + 7), &deep[2], 1);
    check_frames(fixture_lookup(module, bb + 0x18), last, 1);
    if (form != SYM_GO_1_2) {
        check_frames(fixture_lookup(module, bb + 8), &deep[1], 2);
        check_frames(fixture_lookup(module, bb + 0x17), deep, 3);
    }
    CHECK_STR(sym_module_problem(module), "");
    sym_symbolizer_destroy(symbolizer);
}

TEST(table_of_go_1_2_has_functions_and_lines)
{
    check_form(SYM_GO_1_2);
}

TEST(table_of_go_1_16_has_functions_lines_and_inlined_calls)
{
    check_form(SYM_GO_1_16);
}

TEST(table_of_go_1_18_has_functions_lines_and_inlined_calls)
{
    check_form(SYM_GO_1_18);
}

TEST(table_of_go_1_20_has_functions_lines_and_inlined_calls)
{
    check_form(SYM_GO_1_20);
}

TEST(table_without_moduledata_counts_from_the_text_and_has_no_inlined_calls)
{
    struct go_file file;
    go_file_make(&file, SYM_GO_1_20);
    memset(file.bytes + GO_MODULE_AT, 0, 8);
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_module *module = open_file(symbolizer, &file);
    struct sym_frames frames = fixture_lookup(module, GO_TEXT_VADDR + 0x27);
    CHECK_EQ(frames.count, 1);
    CHECK_STR(frames.rows[0].function, "main.bb");
    CHECK_EQ(frames.rows[0].line, 7);
    sym_symbolizer_destroy(symbolizer);
}

TEST(names_alone_of_a_table_are_functions)
{
    static const char *const no_dirs[] = {NULL};
    struct sym_options options = {.debug_dirs = no_dirs, .names_only = true};
    struct go_file file;
    go_file_make(&file, SYM_GO_1_20);
    struct sym_symbolizer *symbolizer = sym_symbolizer_create(&options);
    struct sym_module *module = open_file(symbolizer, &file);
    struct sym_frames frames = fixture_lookup(module, GO_START_VADDR + 0x27);
    CHECK_EQ(frames.count, 1);
    CHECK_STR(frames.rows[0].function, "main.bb");
    CHECK_STR(frames.rows[0].file, "");
    sym_symbolizer_destroy(symbolizer);
}

TEST(table_cut_anywhere_gives_names_or_none)
{
    struct go_file whole;
    go_file_make(&whole, SYM_GO_1_20);
    for (size_t count = 0; count < whole.count; count++) {
        struct go_file file = whole;
        memset(
            file.bytes + GO_TABLE_AT + count, 0xff,
            GO_MODULE_AT - GO_TABLE_AT - count);
        struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
        struct sym_module *module = open_file(symbolizer, &file);
        (void)fixture_lookup(module, GO_START_VADDR + 0x27);
        sym_symbolizer_destroy(symbolizer);
    }
}

TEST(inlined_calls_in_a_circle_end_and_are_told)
{
    struct go_file file;
    go_file_make(&file, SYM_GO_1_20);
    uint32_t own = 0x10; /* main.d calls itself */
    memcpy(file.bytes + GO_DATA_AT + 16 + 8, &own, sizeof own);
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_module *module = open_file(symbolizer, &file);
    struct sym_frames frames = fixture_lookup(module, GO_START_VADDR + 0x27);
    CHECK(frames.count > 100 && frames.count < 1000);
    CHECK(strstr(sym_module_problem(module), "is damaged at 0x401067") != NULL);
    sym_symbolizer_destroy(symbolizer);
}

/* ---- the Go at hand ---- */

/* Every function that the unstripped program's symbol table has. */
TEST(stripped_program_of_the_go_at_hand_keeps_its_names)
{
    if (!fixture_exists("go_stripped"))
        return;
    static const char *const functions[] = {
        "main.main", "main.work", "runtime.mallocgc", "fmt.Fprintln"};
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_module *module = fixture_open(symbolizer, "go_stripped");
    for (unsigned i = 0; i < 4; i++) {
        uint64_t vaddr = fixture_symbol("go", functions[i]);
        struct sym_frames frames = fixture_lookup(module, vaddr + 1);
        CHECK(frames.count > 0);
        CHECK_STR(frames.rows[frames.count - 1].function, functions[i]);
        CHECK_EQ(frames.start_vaddr, vaddr);
    }
    sym_symbolizer_destroy(symbolizer);
}

static bool is_same_frame(
    const struct sym_frame *one, const struct sym_frame *two)
{
    return strcmp(one->function, two->function) == 0 &&
           strcmp(one->file, two->file) == 0 && one->line == two->line;
}

/* Of one function: at how many addresses the two answer alike. */
static unsigned count_same(
    struct sym_module *one, struct sym_module *two, uint64_t start,
    uint64_t bytes, unsigned *deep)
{
    unsigned same = 0;
    for (uint64_t vaddr = start; vaddr < start + bytes; vaddr++) {
        struct sym_frames a = fixture_lookup(one, vaddr);
        struct sym_frames b = fixture_lookup(two, vaddr);
        bool is_same = a.count == b.count;
        for (size_t i = 0; is_same && i < a.count; i++)
            is_same = is_same_frame(&a.rows[i], &b.rows[i]);
        same += is_same;
        *deep += b.count > 1;
    }
    return same;
}

/* The table and the DWARF of the same code, made by the same compiler. */
TEST(stripped_program_of_the_go_at_hand_keeps_lines_and_inlined_calls)
{
    if (!fixture_exists("go_stripped"))
        return;
    static const char *const functions[] = {
        "main.main",          "main.work",        "runtime.mallocgc",
        "fmt.(*pp).printArg", "runtime.newstack", "os.(*File).Write"};
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_module *whole = fixture_open(symbolizer, "go");
    struct sym_module *stripped = fixture_open(symbolizer, "go_stripped");
    uint64_t total = 0;
    unsigned same = 0, deep = 0;
    for (unsigned i = 0; i < 6; i++) {
        uint64_t bytes = fixture_symbol_size("go", functions[i]);
        total += bytes;
        same += count_same(
            whole, stripped, fixture_symbol("go", functions[i]), bytes, &deep);
    }
    CHECK(total > 1000 && deep > 50);
    CHECK_EQ(same, total);
    sym_symbolizer_destroy(symbolizer);
}
