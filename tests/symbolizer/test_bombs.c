/*
 * Files of some megabytes that claim, or mean, thousands of times as much: each
 * says that something is wrong, takes little time and memory, has the names
 * that its symbol table gives, and leaves other modules alone.
 *
 * A case runs in a child with limits that every one of them, were it believed,
 * would exceed by far. They are of CPU time, and many times what is needed.
 */
#include "tests/harness.h"

#include <dwarf.h>
#include <elf.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "tests/symbolizer/elf_maker.h"
#include "tests/symbolizer/fixture.h"

enum { CPU_LIMIT_S = 10, STRIDE = 0xfff, MEGABYTE = 1 << 20 };

/* ---- what is expected of each ---- */

struct claim {
    const char *problem;  /* a part of it */
    const char *function; /* at every address; NULL: it is not looked at */
};

static void limit_child(void)
{
    struct rlimit cpu = {CPU_LIMIT_S, CPU_LIMIT_S};
    (void)setrlimit(RLIMIT_CPU, &cpu);
#ifndef __SANITIZE_ADDRESS__
    struct rlimit memory = {(rlim_t)1 << 30, (rlim_t)1 << 30};
    (void)setrlimit(RLIMIT_AS, &memory);
#endif
}

/* In the child, where the harness is not: what is wrong, or NULL. */
static const char *complain(
    const struct elf_bytes *file, const struct claim *claim, uint64_t outer)
{
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_source source = {
        .path = "bomb", .image = file->bytes, .image_bytes = file->count};
    struct sym_module *module;
    struct sym_frames frames;
    if (sym_module_open(symbolizer, &source, &module, NULL) != STATUS_OK)
        return "it did not open";
    for (uint64_t at = 1; at < ELF_MAKER_CODE_BYTES; at += STRIDE) {
        if (sym_module_lookup(module, ELF_MAKER_CODE + at, &frames, NULL) !=
            STATUS_OK)
            return "a lookup failed";
        if (claim->function != NULL &&
            (frames.count == 0 ||
             strcmp(frames.rows[frames.count - 1].function, claim->function) !=
                 0))
            return "a function was not named";
    }
    if (strstr(sym_module_problem(module), claim->problem) == NULL)
        return sym_module_problem(module);

    struct sym_source other = {.path = fixture_path("inline_gcc_dwarf5")};
    if (sym_module_open(symbolizer, &other, &module, NULL) != STATUS_OK ||
        sym_module_lookup(module, outer, &frames, NULL) != STATUS_OK ||
        frames.count == 0 || strcmp(frames.rows[0].function, "outer") != 0)
        return "another module suffered";
    sym_symbolizer_destroy(symbolizer);
    return NULL;
}

static void check(struct elf_maker *maker, struct claim claim)
{
    struct elf_bytes file = elf_maker_finish(maker);
    uint64_t outer = fixture_symbol("inline_gcc_dwarf5", "outer");
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        limit_child();
        const char *complaint = complain(&file, &claim, outer);
        if (complaint != NULL)
            (void)fprintf(stderr, "complaint: '%s'\n", complaint);
        _exit(complaint != NULL);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    free(file.bytes);
}

/* ---- DWARF 4, by hand ---- */

struct dwarf {
    struct elf_maker maker;
    struct elf_bytes *abbrev, *info, *line, *ranges, *str;
    size_t unit_start;
};

static void begin_dwarf(struct dwarf *dwarf)
{
    elf_maker_init(&dwarf->maker);
    elf_maker_add_symbol(&dwarf->maker, "known");
    dwarf->abbrev = &elf_maker_add(&dwarf->maker, ".debug_abbrev")->content;
    dwarf->info = &elf_maker_add(&dwarf->maker, ".debug_info")->content;
    dwarf->line = &elf_maker_add(&dwarf->maker, ".debug_line")->content;
    dwarf->ranges = &elf_maker_add(&dwarf->maker, ".debug_ranges")->content;
    dwarf->str = &elf_maker_add(&dwarf->maker, ".debug_str")->content;
}

/* `pairs` of attribute and form end with two zeros. */
static void put_abbrev(
    struct dwarf *dwarf, uint64_t code, unsigned tag, bool has_children,
    const unsigned *pairs)
{
    elf_put_uleb(dwarf->abbrev, code);
    elf_put_uleb(dwarf->abbrev, tag);
    elf_put_number(dwarf->abbrev, has_children, 1);
    for (;; pairs += 2) {
        elf_put_uleb(dwarf->abbrev, pairs[0]);
        elf_put_uleb(dwarf->abbrev, pairs[1]);
        if (pairs[0] == 0 && pairs[1] == 0)
            break;
    }
}

static const unsigned no_attributes[] = {0, 0};

static void begin_unit(struct dwarf *dwarf, size_t abbrev_offset)
{
    dwarf->unit_start = dwarf->info->count;
    elf_put_number(dwarf->info, 0, 4);
    elf_put_number(dwarf->info, 4, 2); /* the version */
    elf_put_number(dwarf->info, abbrev_offset, 4);
    elf_put_number(dwarf->info, 8, 1); /* bytes of an address */
}

static void end_unit(struct dwarf *dwarf)
{
    uint32_t bytes = (uint32_t)(dwarf->info->count - dwarf->unit_start - 4);
    memcpy(dwarf->info->bytes + dwarf->unit_start, &bytes, sizeof bytes);
}

/* ---- compressed sections ---- */

static void put_compressed(
    struct elf_maker *maker, const char *name, uint32_t method,
    uint64_t claimed, const void *bytes, size_t count)
{
    struct elf_section *section = elf_maker_add(maker, name);
    section->flags = SHF_COMPRESSED;
    const Elf64_Chdr head = {
        .ch_type = method, .ch_size = claimed, .ch_addralign = 1};
    elf_put(&section->content, &head, sizeof head);
    elf_put(&section->content, bytes, count);
}

enum { PLAIN_BYTES = 1 << 27 }; /* of a bomb, all zeros */

/* All of it, a megabyte at a time. */
static struct elf_bytes deflated_zeros(void)
{
    static Bytef zeros[MEGABYTE], out[MEGABYTE];
    struct elf_bytes bytes = {0};
    z_stream stream = {0};
    CHECK_EQ(deflateInit(&stream, 9), Z_OK);
    for (int left = PLAIN_BYTES / MEGABYTE; left >= 0; left--) {
        stream.next_in = zeros;
        stream.avail_in = left > 0 ? MEGABYTE : 0;
        stream.next_out = out;
        stream.avail_out = MEGABYTE;
        (void)deflate(&stream, left > 0 ? Z_NO_FLUSH : Z_FINISH);
        elf_put(&bytes, out, MEGABYTE - stream.avail_out);
    }
    (void)deflateEnd(&stream);
    return bytes;
}

TEST(what_inflates_beyond_measure_by_zlib_is_refused)
{
    struct elf_bytes bytes = deflated_zeros();
    struct elf_maker maker;
    elf_maker_init(&maker);
    elf_maker_add_symbol(&maker, "known");
    put_compressed(
        &maker, ".debug_info", ELFCOMPRESS_ZLIB, PLAIN_BYTES, bytes.bytes,
        bytes.count);
    check(&maker, (struct claim){"claims to inflate", "known"});
    free(bytes.bytes);
}

TEST(what_inflates_beyond_measure_by_zstandard_is_refused)
{
    /* A frame of 128 MiB is 1 024 blocks of 4 bytes: "128 KiB of this byte". */
    struct elf_bytes bytes = {0};
    elf_put_number(&bytes, 0xfd2fb528, 4);
    elf_put_number(&bytes, 0xe0, 1); /* one segment, its size in 8 bytes */
    elf_put_number(&bytes, PLAIN_BYTES, 8);
    for (int left = PLAIN_BYTES / (128 << 10); left > 0; left--) {
        elf_put_number(&bytes, (128 << 10) << 3 | 1 << 1 | (left == 1), 3);
        elf_put_number(&bytes, 0, 1);
    }
    CHECK(ZSTD_getFrameContentSize(bytes.bytes, bytes.count) == PLAIN_BYTES);
    struct elf_maker maker;
    elf_maker_init(&maker);
    elf_maker_add_symbol(&maker, "known");
    put_compressed(
        &maker, ".debug_info", 2 /* ELFCOMPRESS_ZSTD */, PLAIN_BYTES,
        bytes.bytes, bytes.count);
    check(&maker, (struct claim){"claims to inflate", "known"});
    free(bytes.bytes);
}

TEST(sizes_that_compressed_sections_only_claim_are_refused)
{
    static const uint64_t claimed[] = {
        UINT64_C(1) << 40, UINT64_MAX, (uint64_t)INT64_MAX, 1 << 30};
    for (size_t i = 0; i < sizeof claimed / sizeof *claimed; i++) {
        struct elf_maker maker;
        elf_maker_init(&maker);
        elf_maker_add_symbol(&maker, "known");
        put_compressed(
            &maker, ".debug_info", ELFCOMPRESS_ZLIB, claimed[i], "x", 1);
        check(&maker, (struct claim){"claims to inflate", "known"});
    }
}

TEST(an_embedded_table_that_inflates_beyond_measure_is_refused)
{
    size_t plain_bytes = 64 * MEGABYTE, used = 0;
    uint8_t *plain = calloc(plain_bytes, 1), *packed = malloc(MEGABYTE);
    assert_non_null(plain);
    assert_non_null(packed);
    CHECK_EQ(
        lzma_easy_buffer_encode(
            0, LZMA_CHECK_CRC32, NULL, plain, plain_bytes, packed, &used,
            MEGABYTE),
        LZMA_OK);
    struct elf_maker maker;
    elf_maker_init(&maker);
    elf_put(&elf_maker_add(&maker, ".gnu_debugdata")->content, packed, used);
    check(&maker, (struct claim){"damaged, or too large", NULL});
    free(plain);
    free(packed);
}

/* ---- offsets that lead to the same bytes ---- */

enum { UNITS = 20000, ABBREVS = 200000 };

static void put_many_abbrevs(struct dwarf *dwarf)
{
    for (uint64_t code = 1; code <= ABBREVS; code++)
        put_abbrev(dwarf, code, DW_TAG_compile_unit, false, no_attributes);
    elf_put_uleb(dwarf->abbrev, 0);
}

/* libdw would read and keep all of the table for each of them. */
TEST(units_whose_roots_stand_last_in_one_table_are_refused)
{
    struct dwarf dwarf;
    begin_dwarf(&dwarf);
    put_many_abbrevs(&dwarf);
    for (int i = 0; i < UNITS; i++) {
        begin_unit(&dwarf, 0);
        elf_put_uleb(dwarf.info, ABBREVS);
        end_unit(&dwarf);
    }
    check(&dwarf.maker, (struct claim){"over and over", "known"});
}

TEST(units_that_share_one_large_table_are_refused)
{
    struct dwarf dwarf;
    begin_dwarf(&dwarf);
    put_many_abbrevs(&dwarf);
    for (int i = 0; i < UNITS; i++) {
        begin_unit(&dwarf, 0);
        elf_put_uleb(dwarf.info, 1);
        elf_put_repeated(dwarf.info, 1, 100);
        end_unit(&dwarf);
    }
    check(&dwarf.maker, (struct claim){"over and over", "known"});
}

TEST(dies_of_one_byte_with_thousands_of_attributes_are_refused)
{
    enum { ATTRIBUTES = 1 << 19, DIES = 1 << 20 };
    struct dwarf dwarf;
    begin_dwarf(&dwarf);
    put_abbrev(&dwarf, 1, DW_TAG_compile_unit, true, no_attributes);
    elf_put_uleb(dwarf.abbrev, 2);
    elf_put_uleb(dwarf.abbrev, DW_TAG_subprogram);
    elf_put_number(dwarf.abbrev, false, 1);
    for (int i = 0; i < ATTRIBUTES; i++) {
        elf_put_uleb(dwarf.abbrev, i == 0 ? DW_AT_ranges : DW_AT_external);
        elf_put_uleb(dwarf.abbrev, DW_FORM_flag_present);
    }
    elf_put_repeated(dwarf.abbrev, 0, 3);
    begin_unit(&dwarf, 0);
    elf_put_uleb(dwarf.info, 1);
    elf_put_repeated(dwarf.info, 2, DIES);
    end_unit(&dwarf);
    check(&dwarf.maker, (struct claim){"over and over", "known"});
}

/* A root with lines and, as it has no ranges, all it says of addresses. */
static void put_unit_with_lines(struct dwarf *dwarf, size_t abbrev)
{
    begin_unit(dwarf, abbrev);
    elf_put_uleb(dwarf->info, 1);
    elf_put_number(dwarf->info, 0, 4);
    end_unit(dwarf);
}

TEST(units_that_share_one_long_line_program_are_refused)
{
    enum { ROWS = 4 * MEGABYTE };
    static const unsigned root[] = {DW_AT_stmt_list, DW_FORM_sec_offset, 0, 0};
    struct dwarf dwarf;
    begin_dwarf(&dwarf);
    put_abbrev(&dwarf, 1, DW_TAG_compile_unit, false, root);
    elf_put_uleb(dwarf.abbrev, 0);
    for (int i = 0; i < UNITS; i++)
        put_unit_with_lines(&dwarf, 0);

    struct elf_bytes *line = dwarf.line;
    elf_put_number(line, 0, 4);
    elf_put_number(line, 3, 2);  /* the version */
    elf_put_number(line, 11, 4); /* bytes up to the program */
    elf_put_number(line, 1, 1);  /* of an instruction, at least */
    elf_put_number(line, 1, 1);  /* is_stmt */
    elf_put_number(line, 0, 1);  /* line_base */
    elf_put_number(line, 1, 1);  /* line_range */
    elf_put_number(line, 10, 1); /* opcode_base */
    static const uint8_t operands[] = {0, 1, 1, 1, 1, 0, 0, 0, 1};
    elf_put(line, operands, sizeof operands);
    elf_put_number(line, 0, 2);       /* no folders, no files */
    elf_put_repeated(line, 11, ROWS); /* the next address */
    uint32_t bytes = (uint32_t)line->count - 4, head = 16;
    memcpy(line->bytes, &bytes, sizeof bytes);
    memcpy(line->bytes + 6, &head, sizeof head);
    check(&dwarf.maker, (struct claim){"over and over", "known"});
}

/* A list of ranges of dead code, which are not kept. */
static void put_dead_ranges(struct dwarf *dwarf)
{
    enum { RANGES = 1 << 17 };
    for (int i = 0; i < RANGES; i++) {
        elf_put_number(dwarf->ranges, 8, 8);
        elf_put_number(dwarf->ranges, 9, 8);
    }
    elf_put_repeated(dwarf->ranges, 0, 16);
}

TEST(functions_that_share_one_long_list_of_ranges_are_refused)
{
    enum { FUNCTIONS = 100000 };
    static const unsigned function[] = {DW_AT_ranges, DW_FORM_sec_offset, 0, 0};
    struct dwarf dwarf;
    begin_dwarf(&dwarf);
    put_abbrev(&dwarf, 1, DW_TAG_compile_unit, true, no_attributes);
    put_abbrev(&dwarf, 2, DW_TAG_subprogram, false, function);
    elf_put_uleb(dwarf.abbrev, 0);
    for (int unit = 0; unit < 100; unit++) {
        begin_unit(&dwarf, 0);
        elf_put_uleb(dwarf.info, 1);
        for (int i = 0; i < FUNCTIONS / 100; i++) {
            elf_put_uleb(dwarf.info, 2);
            elf_put_number(dwarf.info, 0, 4);
        }
        end_unit(&dwarf);
    }
    put_dead_ranges(&dwarf);
    check(&dwarf.maker, (struct claim){"over and over", "known"});
}

TEST(units_that_share_one_long_list_of_ranges_are_refused)
{
    static const unsigned root[] = {DW_AT_ranges, DW_FORM_sec_offset, 0, 0};
    struct dwarf dwarf;
    begin_dwarf(&dwarf);
    put_abbrev(&dwarf, 1, DW_TAG_compile_unit, false, root);
    elf_put_uleb(dwarf.abbrev, 0);
    for (int i = 0; i < UNITS; i++)
        put_unit_with_lines(&dwarf, 0);
    put_dead_ranges(&dwarf);
    check(&dwarf.maker, (struct claim){"over and over", "known"});
}

/* Functions of one byte each, named by offsets into one long text. */
TEST(names_that_are_parts_of_one_long_text_take_no_more_than_it)
{
    enum { TEXT = 100 << 10, FUNCTIONS = 60000 };
    static const unsigned function[] = {
        DW_AT_name,
        DW_FORM_strp,
        DW_AT_low_pc,
        DW_FORM_addr,
        DW_AT_high_pc,
        DW_FORM_data1,
        0,
        0};
    struct dwarf dwarf;
    begin_dwarf(&dwarf);
    put_abbrev(&dwarf, 1, DW_TAG_compile_unit, true, no_attributes);
    put_abbrev(&dwarf, 2, DW_TAG_subprogram, false, function);
    elf_put_uleb(dwarf.abbrev, 0);
    begin_unit(&dwarf, 0);
    elf_put_uleb(dwarf.info, 1);
    for (uint32_t i = 0; i < FUNCTIONS; i++) {
        elf_put_uleb(dwarf.info, 2);
        elf_put_number(dwarf.info, i, 4);
        elf_put_number(dwarf.info, ELF_MAKER_CODE + i, 8);
        elf_put_number(dwarf.info, 1, 1);
    }
    end_unit(&dwarf);
    elf_put_repeated(dwarf.str, 'x', TEXT);
    elf_put_number(dwarf.str, 0, 1);
    check(&dwarf.maker, (struct claim){"", NULL});
}

/* ---- circles and depth ---- */

TEST(circles_of_origins_end)
{
    static const unsigned function[] = {
        DW_AT_abstract_origin,
        DW_FORM_ref4,
        DW_AT_low_pc,
        DW_FORM_addr,
        DW_AT_high_pc,
        DW_FORM_data4,
        0,
        0};
    struct dwarf dwarf;
    begin_dwarf(&dwarf);
    put_abbrev(&dwarf, 1, DW_TAG_compile_unit, true, no_attributes);
    put_abbrev(&dwarf, 2, DW_TAG_subprogram, false, function);
    elf_put_uleb(dwarf.abbrev, 0);
    begin_unit(&dwarf, 0);
    elf_put_uleb(dwarf.info, 1);
    enum { FIRST = 12, STEP = 17 };    /* of the DIEs, in the unit */
    for (uint32_t i = 0; i < 3; i++) { /* 0 is its own; 1 and 2 each other's */
        elf_put_uleb(dwarf.info, 2);
        elf_put_number(dwarf.info, FIRST + STEP * (i == 0 ? 0 : 3 - i), 4);
        elf_put_number(
            dwarf.info, ELF_MAKER_CODE + i * (ELF_MAKER_CODE_BYTES / 4), 8);
        elf_put_number(dwarf.info, ELF_MAKER_CODE_BYTES / 4, 4);
    }
    end_unit(&dwarf);
    check(&dwarf.maker, (struct claim){"", NULL});
}

TEST(blocks_nested_a_million_deep_are_left)
{
    enum { DEPTH = 1 << 20 };
    static const unsigned function[] = {
        DW_AT_name,
        DW_FORM_strp,
        DW_AT_low_pc,
        DW_FORM_addr,
        DW_AT_high_pc,
        DW_FORM_data4,
        0,
        0};
    struct dwarf dwarf;
    begin_dwarf(&dwarf);
    put_abbrev(&dwarf, 1, DW_TAG_compile_unit, true, no_attributes);
    put_abbrev(&dwarf, 2, DW_TAG_subprogram, true, function);
    put_abbrev(&dwarf, 3, DW_TAG_lexical_block, true, no_attributes);
    elf_put_uleb(dwarf.abbrev, 0);
    begin_unit(&dwarf, 0);
    elf_put_uleb(dwarf.info, 1);
    elf_put_uleb(dwarf.info, 2);
    elf_put_number(dwarf.info, 0, 4);
    elf_put_number(dwarf.info, ELF_MAKER_CODE, 8);
    elf_put_number(dwarf.info, ELF_MAKER_CODE_BYTES, 4);
    elf_put_repeated(dwarf.info, 3, DEPTH);
    end_unit(&dwarf);
    elf_put_text(dwarf.str, "deep");
    check(&dwarf.maker, (struct claim){"nested too deeply", "deep"});
}

/* ---- symbol tables ---- */

enum { SYMBOLS = 200000, STRINGS = 8 * MEGABYTE };

/* All at one address, named by offsets that grow. */
static void make_symbols(struct elf_maker *maker, bool has_end)
{
    elf_maker_init(maker);
    elf_maker_add_symbol(maker, "known");
    struct elf_bytes *strings = &maker->sections[2].content;
    struct elf_bytes *symbols = &maker->sections[3].content;
    uint32_t first = (uint32_t)strings->count;
    elf_put_repeated(strings, 'x', STRINGS);
    if (has_end)
        elf_put_number(strings, 0, 1);
    for (uint32_t i = 0; i < SYMBOLS; i++) {
        Elf64_Sym row = {
            .st_name = first + i,
            .st_info = ELF64_ST_INFO(STB_LOCAL, STT_FUNC),
            .st_shndx = 1,
            .st_value = ELF_MAKER_CODE};
        elf_put(symbols, &row, sizeof row);
    }
}

TEST(names_of_symbols_that_never_end_are_none)
{
    struct elf_maker maker;
    make_symbols(&maker, false);
    check(&maker, (struct claim){"", "known"});
}

TEST(names_of_symbols_beyond_measure_are_none)
{
    struct elf_maker maker;
    make_symbols(&maker, true);
    check(&maker, (struct claim){"", "known"});
}

/* The second has a name that would be preferred. */
TEST(only_the_first_table_of_symbols_counts)
{
    struct elf_maker maker;
    elf_maker_init(&maker);
    elf_maker_add_symbol(&maker, "known");
    elf_maker_add_symbol(&maker, "kn");
    check(&maker, (struct claim){"", "known"});
}
