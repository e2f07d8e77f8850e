/* Line tables, written by hand so that each rule has its own bytes. */
#include "tests/harness.h"

#include <stdlib.h>
#include <string.h>

#include "symbolizer/lines.h"

/* ---- an assembler for line tables ---- */

struct program {
    uint8_t bytes[2048];
    size_t count;
};

static void put(struct program *program, uint64_t value, unsigned width)
{
    for (unsigned i = 0; i < width; i++)
        program->bytes[program->count++] = (uint8_t)(value >> 8 * i);
}

static void put_text(struct program *program, const char *text)
{
    memcpy(program->bytes + program->count, text, strlen(text) + 1);
    program->count += strlen(text) + 1;
}

/* A header of version 4: folder "lib", files 1 "a.c" and 2 "lib/b.h". */
static void begin_v4(struct program *program)
{
    put(program, 0, 4); /* length, by finish() */
    put(program, 4, 2);
    put(program, 0, 4); /* header length, below */
    size_t start = program->count;
    put(program, 0x010101, 3);    /* step 1, 1 operation, is_stmt */
    put(program, (uint8_t)-5, 1); /* line_base */
    put(program, 14, 1);          /* line_range */
    put(program, 13, 1);          /* opcode_base */
    static const uint8_t operands[12] = {0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1};
    for (int i = 0; i < 12; i++)
        put(program, operands[i], 1);
    put_text(program, "lib");
    put(program, 0, 1);
    put_text(program, "a.c");
    put(program, 0, 3);
    put_text(program, "b.h");
    put(program, 1, 1);
    put(program, 0, 2);
    put_text(program, "/abs.c");
    put(program, 0, 3);
    put(program, 0, 1);
    uint32_t length = (uint32_t)(program->count - start);
    memcpy(program->bytes + 6, &length, 4);
}

/* Version 5: folders 0 "/src" and 1 "lib", files 0 "a.c" and 1 "lib/b.h". */
static void begin_v5(struct program *program)
{
    put(program, 0, 4);
    put(program, 5, 2);
    put(program, 8, 2); /* address and selector sizes */
    put(program, 0, 4);
    size_t start = program->count;
    put(program, 0x010101, 3);
    put(program, (uint8_t)-5, 1);
    put(program, 14, 1);
    put(program, 13, 1);
    static const uint8_t operands[12] = {0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1};
    for (int i = 0; i < 12; i++)
        put(program, operands[i], 1);
    put(program, 0x080101, 3); /* one column: a path as string */
    put(program, 2, 1);
    put_text(program, "/src");
    put_text(program, "lib");
    put(program, 3, 1);      /* three columns: */
    put(program, 0x0801, 2); /* a path as string, */
    put(program, 0x0b02, 2); /* a folder as data1, */
    put(program, 0x1e05, 2); /* an MD5 as data16 */
    put(program, 2, 1);
    put_text(program, "a.c");
    put(program, 0, 1);
    put(program, 0, 16 - 8);
    put(program, 0, 8);
    put_text(program, "b.h");
    put(program, 1, 1);
    put(program, 0, 8);
    put(program, 0, 8);
    uint32_t length = (uint32_t)(program->count - start);
    memcpy(program->bytes + 8, &length, 4);
}

static void set_address(struct program *program, uint64_t vaddr)
{
    put(program, 0x020900, 3); /* extended, 9 bytes, DW_LNE_set_address */
    put(program, vaddr, 8);
}

/* Advance by `bytes` and `lines`, then make a row. */
static void row(struct program *program, unsigned bytes, int lines)
{
    put(program, 2, 1); /* DW_LNS_advance_pc, below 128 */
    put(program, bytes, 1);
    put(program, 3, 1); /* DW_LNS_advance_line, -64 .. 63 */
    put(program, (uint64_t)lines & 0x7f, 1);
    put(program, 1, 1); /* DW_LNS_copy */
}

static void end_sequence(struct program *program, unsigned bytes)
{
    put(program, 2, 1);
    put(program, bytes, 1);
    put(program, 0x010100, 3);
}

static void set_file(struct program *program, unsigned file)
{
    put(program, 4, 1);
    put(program, file, 1);
}

/* An ELF image with nothing but code from 0x1000 to 0x9000. */
static struct sym_segment code = {
    .vaddr = 0x1000, .memory_bytes = 0x8000, .is_executable = true};
static const struct sym_image image = {
    .segments = {.rows = &code, .count = 1, .row_bytes = sizeof code}};

static enum status read(struct program *program, struct sym_lines *lines)
{
    uint32_t length = (uint32_t)(program->count - 4);
    memcpy(program->bytes, &length, 4);
    struct sym_line_input input = {
        .line = {.start = program->bytes, .count = program->count},
        .comp_dir = "/src",
        .image = &image};
    return sym_lines_read(lines, &input, NULL);
}

static void finish(struct program *program, struct sym_lines *lines)
{
    CHECK_OK(read(program, lines));
}

/* The line at an address, 0 in a gap. */
static uint32_t line_at(const struct sym_lines *lines, uint64_t vaddr)
{
    const struct sym_line_row *found = sym_lines_find(lines, vaddr);
    return found ? found->line : 0;
}

/* ---- rows ---- */

TEST(lines_hold_until_the_next_row_and_stop_at_the_end)
{
    struct program program = {0};
    begin_v4(&program);
    set_address(&program, 0x1000);
    row(&program, 0, 9); /* line 10 */
    row(&program, 8, 1);
    end_sequence(&program, 8);
    struct sym_lines lines;
    finish(&program, &lines);
    CHECK_EQ(line_at(&lines, 0xfff), 0);
    CHECK_EQ(line_at(&lines, 0x1000), 10);
    CHECK_EQ(line_at(&lines, 0x1007), 10);
    CHECK_EQ(line_at(&lines, 0x1008), 11);
    CHECK_EQ(line_at(&lines, 0x100f), 11);
    CHECK_EQ(line_at(&lines, 0x1010), 0);
    sym_lines_fini(&lines);
}

TEST(lines_take_the_last_row_of_an_address)
{
    struct program program = {0};
    begin_v4(&program);
    set_address(&program, 0x1000);
    row(&program, 0, 9);
    row(&program, 0, 1);
    row(&program, 0, 1);
    end_sequence(&program, 4);
    struct sym_lines lines;
    finish(&program, &lines);
    CHECK_EQ(line_at(&lines, 0x1000), 12);
    sym_lines_fini(&lines);
}

TEST(lines_of_special_and_constant_opcodes_advance_both)
{
    struct program program = {0};
    begin_v4(&program);
    set_address(&program, 0x1000);
    put(&program, 13 + 5 + 8, 1);      /* special: 0 bytes, 8 lines */
    put(&program, 8, 1);               /* const_add_pc: (255-13)/14 = 17 */
    put(&program, 13 + 5 + 1 + 14, 1); /* special: 1 byte, 1 line */
    put(&program, 0x000209, 3);        /* fixed_advance_pc by 2 */
    put(&program, 13 + 5 - 3, 1);      /* special: 0 bytes, -3 lines */
    end_sequence(&program, 4);
    struct sym_lines lines;
    finish(&program, &lines);
    CHECK_EQ(line_at(&lines, 0x1000), 9);
    CHECK_EQ(line_at(&lines, 0x1011), 9);
    CHECK_EQ(line_at(&lines, 0x1012), 10);
    CHECK_EQ(line_at(&lines, 0x1014), 7);
    sym_lines_fini(&lines);
}

TEST(lines_of_sequences_out_of_order_are_sorted_with_their_gaps)
{
    struct program program = {0};
    begin_v4(&program);
    set_address(&program, 0x3000);
    row(&program, 0, 29);
    end_sequence(&program, 16);
    set_address(&program, 0x2000);
    row(&program, 0, 19);
    end_sequence(&program, 16);
    set_address(&program, 0x2010);
    row(&program, 0, 39);
    end_sequence(&program, 16);
    struct sym_lines lines;
    finish(&program, &lines);
    CHECK_EQ(line_at(&lines, 0x200f), 20);
    CHECK_EQ(line_at(&lines, 0x2010), 40);
    CHECK_EQ(line_at(&lines, 0x2020), 0);
    CHECK_EQ(line_at(&lines, 0x3000), 30);
    CHECK_EQ(line_at(&lines, 0x3010), 0);
    sym_lines_fini(&lines);
}

TEST(lines_of_functions_the_linker_dropped_do_not_leak_into_living_code)
{
    struct program program = {0};
    begin_v4(&program);
    set_address(&program, 0); /* dead, and long enough to reach living code */
    for (int i = 0; i < 80; i++)
        row(&program, 100, 1);
    end_sequence(&program, 100);
    set_address(&program, UINT64_MAX - 1);
    row(&program, 0, 5);
    end_sequence(&program, 1);
    set_address(&program, 0x1500);
    row(&program, 0, 9);
    end_sequence(&program, 16);
    struct sym_lines lines;
    finish(&program, &lines);
    CHECK_EQ(line_at(&lines, 0x1450), 0);
    CHECK_EQ(line_at(&lines, 0x1500), 10);
    CHECK_EQ(line_at(&lines, 0x1510), 0);
    sym_lines_fini(&lines);
}

TEST(lines_of_overlapping_sequences_belong_to_the_one_that_starts_first)
{
    struct program program = {0};
    begin_v4(&program);
    set_address(&program, 0x2008);
    row(&program, 0, 19);
    row(&program, 16, 1); /* 0x2018: 21 */
    end_sequence(&program, 16);
    set_address(&program, 0x2000);
    row(&program, 0, 9);
    end_sequence(&program, 16);
    set_address(&program, 0x2004); /* wholly covered */
    row(&program, 0, 49);
    end_sequence(&program, 4);
    struct sym_lines lines;
    finish(&program, &lines);
    CHECK_EQ(line_at(&lines, 0x2004), 10);
    CHECK_EQ(line_at(&lines, 0x200f), 10);
    CHECK_EQ(line_at(&lines, 0x2010), 20);
    CHECK_EQ(line_at(&lines, 0x2018), 21);
    CHECK_EQ(line_at(&lines, 0x2028), 0);
    sym_lines_fini(&lines);
}

TEST(lines_that_go_backwards_are_ignored)
{
    struct program program = {0};
    begin_v4(&program);
    set_address(&program, 0x2000);
    row(&program, 8, 9);
    set_address(&program, 0x2000);
    row(&program, 0, 10);
    set_address(&program, 0x2010);
    row(&program, 0, 10);
    end_sequence(&program, 4);
    struct sym_lines lines;
    finish(&program, &lines);
    CHECK_EQ(line_at(&lines, 0x2000), 0);
    CHECK_EQ(line_at(&lines, 0x2008), 10);
    CHECK_EQ(line_at(&lines, 0x2010), 30);
    sym_lines_fini(&lines);
}

TEST(lines_without_an_end_of_sequence_are_dropped)
{
    struct program program = {0};
    begin_v4(&program);
    set_address(&program, 0x1000);
    row(&program, 0, 9);
    struct sym_lines lines;
    finish(&program, &lines);
    CHECK_EQ(line_at(&lines, 0x1000), 0);
    sym_lines_fini(&lines);
}

TEST(line_zero_is_a_row_of_unknown_line)
{
    struct program program = {0};
    begin_v4(&program);
    set_address(&program, 0x1000);
    row(&program, 0, -1);
    end_sequence(&program, 4);
    struct sym_lines lines;
    finish(&program, &lines);
    const struct sym_line_row *found = sym_lines_find(&lines, 0x1000);
    CHECK_EQ(found != NULL ? found->line : UINT32_MAX, 0);
    sym_lines_fini(&lines);
}

TEST(unknown_opcodes_are_passed_over_by_their_operand_counts)
{
    struct program program = {0};
    begin_v4(&program);
    set_address(&program, 0x1000);
    put(&program, 0x050c, 2);     /* DW_LNS_set_isa */
    put(&program, 0x55990300, 4); /* extended 0x99, with one byte */
    put(&program, 0x66, 1);
    row(&program, 0, 9);
    end_sequence(&program, 4);
    struct sym_lines lines;
    finish(&program, &lines);
    CHECK_EQ(line_at(&lines, 0x1000), 10);
    sym_lines_fini(&lines);
}

/* ---- files ---- */

static void check_path(
    struct sym_lines *lines, struct sym_strings *strings, uint64_t file,
    const char *wanted)
{
    uint32_t id = sym_line_files_path(&lines->files, strings, file);
    CHECK_STR(sym_strings_text(strings, id), wanted);
    CHECK_EQ(sym_line_files_path(&lines->files, strings, file), id);
}

TEST(files_of_version_4_count_from_one)
{
    struct program program = {0};
    begin_v4(&program);
    struct sym_lines lines;
    struct sym_strings strings;
    finish(&program, &lines);
    CHECK(sym_strings_init(&strings));
    check_path(&lines, &strings, 0, "");
    check_path(&lines, &strings, 1, "/src/a.c");
    check_path(&lines, &strings, 2, "/src/lib/b.h");
    check_path(&lines, &strings, 3, "/abs.c");
    check_path(&lines, &strings, 4, "");
    check_path(&lines, &strings, UINT64_MAX, "");
    sym_strings_fini(&strings);
    sym_lines_fini(&lines);
}

TEST(files_of_version_5_count_from_zero)
{
    struct program program = {0};
    begin_v5(&program);
    set_address(&program, 0x1000);
    set_file(&program, 0);
    row(&program, 0, 9);
    end_sequence(&program, 4);
    struct sym_lines lines;
    struct sym_strings strings;
    finish(&program, &lines);
    CHECK(sym_strings_init(&strings));
    check_path(&lines, &strings, 0, "/src/a.c");
    check_path(&lines, &strings, 1, "/src/lib/b.h");
    check_path(&lines, &strings, 2, "");
    CHECK_EQ(sym_lines_find(&lines, 0x1000)->file, 0);
    sym_strings_fini(&strings);
    sym_lines_fini(&lines);
}

/* ---- damage ---- */

TEST(a_line_table_cut_anywhere_is_an_error_or_a_shorter_table)
{
    for (int version = 4; version <= 5; version++) {
        struct program whole = {0};
        (version == 4 ? begin_v4 : begin_v5)(&whole);
        set_address(&whole, 0x1000);
        row(&whole, 0, 9);
        end_sequence(&whole, 4);
        for (size_t count = 4; count < whole.count; count++) {
            /* On the heap, so that the sanitizer sees one byte too far. */
            struct program *cut = calloc(1, sizeof *cut);
            assert_non_null(cut);
            *cut = whole;
            cut->count = count;
            struct sym_lines lines;
            enum status status = read(cut, &lines);
            CHECK(status == STATUS_OK || status == STATUS_MALFORMED);
            CHECK_EQ(line_at(&lines, 0x1000), 0);
            sym_lines_fini(&lines);
            free(cut);
        }
    }
}

TEST(a_line_table_of_a_later_version_is_refused)
{
    struct program program = {0};
    begin_v4(&program);
    program.bytes[4] = 6;
    struct sym_lines lines;
    CHECK_EQ(read(&program, &lines), STATUS_UNSUPPORTED);
    sym_lines_fini(&lines);
}

TEST(a_line_table_with_a_line_range_of_zero_is_refused)
{
    struct program program = {0};
    begin_v4(&program);
    program.bytes[14] = 0;
    struct sym_lines lines;
    CHECK_EQ(read(&program, &lines), STATUS_MALFORMED);
    sym_lines_fini(&lines);
}
