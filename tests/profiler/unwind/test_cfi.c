/* CIEs, FDEs and call frame instructions, byte by byte. */
#include <string.h>

#include "profiler/unwind/fde_index.h"
#include "profiler/unwind/sig_cfi.h"
#include "profiler/unwind/sig_row.h"
#include "tests/harness.h"
#include "tests/profiler/unwind/section.h"

#define START UINT64_C(0x11000)

static const uint8_t PCREL_SDATA4[] = {0x1b};

/* One function with this program, behind gcc's CIE. */
static struct prof_cfi_source with_program(
    struct section *section, const void *program, uint32_t size)
{
    memset(section, 0, sizeof *section);
    uint32_t cie = section_cie(section, 1, "zR", PCREL_SDATA4, 1);
    section_fde(section, cie, START, 0x100, program, size);
    return section_source(section);
}

static struct section section;
static struct prof_cfi_source source;
static struct prof_fde fde; /* of the source */
static struct prof_rows rows;

/* The rows of `program` at START + `offset`. */
#define ROW_OF(offset, ...)                                                    \
    do {                                                                       \
        static const uint8_t bytes[] = {__VA_ARGS__};                          \
        source = with_program(&section, bytes, sizeof bytes);                  \
        CHECK(prof_fde_find(&source, START + (offset), &fde));                 \
        CHECK(prof_rows_find(&rows, &fde, START + (offset)));                  \
    } while (0)

/* A program that must be refused. */
#define REFUSED(...)                                                           \
    do {                                                                       \
        static const uint8_t bytes[] = {__VA_ARGS__};                          \
        source = with_program(&section, bytes, sizeof bytes);                  \
        CHECK(prof_fde_find(&source, START, &fde));                            \
        CHECK(!prof_rows_find(&rows, &fde, START + 0xff));                     \
        CHECK(rows.is_bad);                                                    \
    } while (0)

static void check_cfa(uint8_t column, int32_t offset)
{
    CHECK_EQ(rows.rules.cfa_rule, PROF_CFA_REGISTER);
    CHECK_EQ(rows.rules.cfa_register, column);
    CHECK_EQ(rows.rules.cfa_value, offset);
}

static void check_rule(unsigned column, enum prof_rule rule, int32_t value)
{
    CHECK_EQ(rows.rules.rule[column], rule);
    CHECK_EQ(rows.rules.value[column], value);
}

TEST(a_cie_gives_the_first_row)
{
    ROW_OF(0, 0);
    check_cfa(PROF_REG_RSP, 8);
    check_rule(PROF_REG_RIP, PROF_RULE_OFFSET, -8);
    CHECK_EQ(rows.start, START);
    CHECK_EQ(rows.end, START + 0x100);
}

TEST(locations_advance_in_every_width)
{
    ROW_OF(0x0e, 0x4f, 0x0e, 16); /* advance_loc 15: not yet */
    check_cfa(PROF_REG_RSP, 8);
    ROW_OF(0x0f, 0x4f, 0x0e, 16);
    check_cfa(PROF_REG_RSP, 16);
    ROW_OF(0x50, 0x02, 0x50, 0x0e, 16); /* advance_loc1 */
    check_cfa(PROF_REG_RSP, 16);
    ROW_OF(0x51, 0x03, 0x51, 0, 0x0e, 16); /* advance_loc2 */
    check_cfa(PROF_REG_RSP, 16);
    ROW_OF(0x52, 0x04, 0x52, 0, 0, 0, 0x0e, 16); /* advance_loc4 */
    check_cfa(PROF_REG_RSP, 16);
    ROW_OF(0x53, 0x1d, 0x53, 0, 0, 0, 0, 0, 0, 0, 0x0e, 16); /* ..._loc8 */
    check_cfa(PROF_REG_RSP, 16);
    CHECK_EQ(rows.start, START + 0x53);
}

TEST(set_loc_is_encoded_like_the_fde)
{
    static const uint8_t program[] = {0x01, 0, 0, 0, 0, 0x0e, 16};
    source = with_program(&section, program, sizeof program);
    /* Behind the FDE's length, CIE, start, size, augmentation and opcode. */
    uint32_t operand = section.entry + 4 + 4 + 4 + 4 + 1 + 1;
    int32_t distance = (int32_t)(START + 0x40 - (SECTION_ADDRESS + operand));
    memcpy(section.bytes + operand, &distance, 4);
    CHECK(prof_fde_find(&source, START, &fde));
    CHECK(prof_rows_find(&rows, &fde, START + 0x40));
    CHECK_EQ(rows.start, START + 0x40);
    check_cfa(PROF_REG_RSP, 16);
}

TEST(cfa_instructions_define_the_cfa)
{
    ROW_OF(0, 0x0c, 6, 32); /* def_cfa */
    check_cfa(PROF_REG_RBP, 32);
    ROW_OF(0, 0x12, 6, 0x7e); /* def_cfa_sf: -2 * -8 */
    check_cfa(PROF_REG_RBP, 16);
    ROW_OF(0, 0x0d, 10); /* def_cfa_register */
    check_cfa(10, 8);
    ROW_OF(0, 0x13, 0x7d); /* def_cfa_offset_sf: -3 * -8 */
    check_cfa(PROF_REG_RSP, 24);
    ROW_OF(0, 0x0f, 2, 0x77, 8); /* def_cfa_expression */
    CHECK_EQ(rows.rules.cfa_rule, PROF_CFA_EXPRESSION);
    CHECK_EQ(fde.source->bytes[rows.rules.cfa_value], 2);
}

TEST(register_instructions_define_rules)
{
    ROW_OF(0, 0x86, 2); /* offset */
    check_rule(PROF_REG_RBP, PROF_RULE_OFFSET, -16);
    ROW_OF(0, 0x05, 3, 3); /* offset_extended */
    check_rule(PROF_REG_RBX, PROF_RULE_OFFSET, -24);
    ROW_OF(0, 0x11, 3, 0x7f); /* offset_extended_sf: -1 * -8 */
    check_rule(PROF_REG_RBX, PROF_RULE_OFFSET, 8);
    ROW_OF(0, 0x2f, 3, 2); /* GNU_negative_offset_extended */
    check_rule(PROF_REG_RBX, PROF_RULE_OFFSET, 16);
    ROW_OF(0, 0x14, 3, 2); /* val_offset */
    check_rule(PROF_REG_RBX, PROF_RULE_VAL_OFFSET, -16);
    ROW_OF(0, 0x15, 3, 0x7e); /* val_offset_sf */
    check_rule(PROF_REG_RBX, PROF_RULE_VAL_OFFSET, 16);
    ROW_OF(0, 0x09, 16, 5); /* register */
    check_rule(PROF_REG_RIP, PROF_RULE_REGISTER, PROF_REG_RDI);
    ROW_OF(0, 0x07, 16); /* undefined */
    CHECK_EQ(rows.rules.rule[PROF_REG_RIP], PROF_RULE_UNDEFINED);
    ROW_OF(0, 0x86, 2, 0x08, 6); /* same_value */
    CHECK_EQ(rows.rules.rule[PROF_REG_RBP], PROF_RULE_SAME);
    ROW_OF(0, 0x10, 3, 1, 0x30); /* expression */
    CHECK_EQ(rows.rules.rule[PROF_REG_RBX], PROF_RULE_EXPRESSION);
    ROW_OF(0, 0x16, 3, 1, 0x30); /* val_expression */
    CHECK_EQ(rows.rules.rule[PROF_REG_RBX], PROF_RULE_VAL_EXPRESSION);
}

TEST(restore_goes_back_to_the_cies_rule)
{
    ROW_OF(0, 0x90, 4, 0xd0); /* offset and restore of the RA */
    check_rule(PROF_REG_RIP, PROF_RULE_OFFSET, -8);
    ROW_OF(0, 0x86, 2, 0x06, 6); /* restore_extended */
    CHECK_EQ(rows.rules.rule[PROF_REG_RBP], PROF_RULE_SAME);
}

TEST(states_nest_as_deep_as_the_limit)
{
    ROW_OF(
        0, 0x0a, 0x0e, 16, 0x0a, 0x0e, 24, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a,
        0x0e, 99, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b);
    check_cfa(PROF_REG_RSP, 16);
    REFUSED(0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a);
    REFUSED(0x0b); /* nothing remembered */
}

TEST(what_moves_no_register_is_read_over)
{
    ROW_OF(0, 0x2e, 0x90, 1, 0x2d, 0, 0x0e, 16); /* args_size, window_save */
    check_cfa(PROF_REG_RSP, 16);
    ROW_OF(0, 0x05, 40, 3, 0x0e, 16); /* a vector register */
    check_cfa(PROF_REG_RSP, 16);
}

TEST(malformed_programs_are_refused)
{
    REFUSED(0x3f);                               /* no such instruction */
    REFUSED(0x0c, 40, 8);                        /* a CFA of no register */
    REFUSED(0x0e, 0xff, 0xff, 0xff, 0xff, 0x7f); /* beyond 31 bits */
    REFUSED(0x86, 0xff, 0xff, 0xff, 0xff, 0x7f);
    REFUSED(0x10, 3, 0x7f);          /* a block past the end */
    REFUSED(0, 0, 0, 0, 0, 0x04, 1); /* an operand past the end */
}

/* An FDE whose CIE has this encoding, with `value` as its start. */
static bool find_encoded(
    uint8_t encoding, uint64_t value, unsigned width, uint64_t pc)
{
    memset(&section, 0, sizeof section);
    uint32_t cie = section_cie(&section, 1, "zR", &encoding, 1);
    section_begin(&section);
    section_uint(&section, section.size - cie, 4);
    if ((encoding & 0x70) == 0x50)
        while (section.size % 8 != 0)
            section_uint(&section, 0, 1);
    section_uint(&section, value, width);
    section_uint(&section, 0x10, width);
    section_uint(&section, 0, 1);
    section_end(&section);
    source = section_source(&section);
    return prof_fde_find(&source, pc, &fde) && fde.start == pc;
}

TEST(pointers_are_read_in_every_encoding)
{
    uint64_t here = SECTION_ADDRESS + 24 + 8;     /* of the FDE's pointer */
    CHECK(find_encoded(0x00, START, 8, START));   /* absptr */
    CHECK(find_encoded(0x02, 0x8100, 2, 0x8100)); /* udata2 */
    CHECK(find_encoded(0x03, START, 4, START));   /* udata4 */
    CHECK(find_encoded(0x04, START, 8, START));   /* udata8 */
    CHECK(find_encoded(0x08, START, 8, START));   /* signed */
    CHECK(find_encoded(0x0c, START, 8, START));   /* sdata8 */
    CHECK(find_encoded(0x01, 0x55, 1, 0x55));     /* uleb128 */
    CHECK(find_encoded(0x1a, 0x100, 2, here + 0x100)); /* pcrel sdata2 */
    CHECK(find_encoded(0x1a, 0xfff0, 2, here - 0x10)); /* ... negative */
    CHECK(find_encoded(0x1b, 0x100, 4, here + 0x100)); /* pcrel sdata4 */
    CHECK(find_encoded(0x19, 0x70, 1, here - 0x10));   /* pcrel sleb128 */
    CHECK(find_encoded(0x2b, 0x100, 4, 0x20100));      /* textrel */
    CHECK(find_encoded(0x3b, 0x100, 4, 0x30100));      /* datarel */
    CHECK(find_encoded(0x4b, START, 4, START));        /* funcrel, from 0 */
    CHECK(find_encoded(0x50, START, 8, START));        /* aligned */
    CHECK(!find_encoded(0x80, START, 8, START));       /* indirect */
    CHECK(!find_encoded(0xff, START, 8, START));       /* omitted */
    CHECK(!find_encoded(0x05, START, 8, START));       /* no such format */
}

static bool find_with_cie(
    uint8_t version, const char *augmentation, const char *data, uint8_t size)
{
    memset(&section, 0, sizeof section);
    uint32_t cie = section_cie(&section, version, augmentation, data, size);
    section_begin(&section);
    section_uint(&section, section.size - cie, 4);
    section_uint(&section, START, 8);
    section_uint(&section, 0x10, 8);
    if (augmentation[0] == 'z')
        section_uint(&section, 0, 1);
    section_end(&section);
    source = section_source(&section);
    return prof_fde_find(&source, START, &fde) &&
           prof_rows_find(&rows, &fde, START);
}

TEST(cies_of_every_version_and_augmentation_are_read)
{
    CHECK(find_with_cie(1, "", "", 0));
    CHECK(find_with_cie(3, "", "", 0));
    CHECK(find_with_cie(4, "", "", 0));
    CHECK(!find_with_cie(2, "", "", 0));
    CHECK(!find_with_cie(5, "", "", 0));
    CHECK(find_with_cie(1, "eh", "", 0));
    CHECK(find_with_cie(1, "z", "", 0));
    CHECK(!fde.is_signal_frame);
    CHECK(find_with_cie(1, "zRS", "\0", 1));
    CHECK(fde.is_signal_frame);
    CHECK(find_with_cie(1, "zPLR", "\x9b\1\2\3\4\x1b\0", 7)); /* indirect P */
    CHECK(find_with_cie(1, "zLPR", "\x1b\xff\0", 3));         /* P omitted */
    CHECK(find_with_cie(1, "zRB", "\0", 1));
    CHECK(find_with_cie(1, "zR?", "\0\1\2\3", 4)); /* unknown, but sized */
    CHECK(!find_with_cie(1, "?", "", 0));
    CHECK(!find_with_cie(1, "zR", "", 0)); /* data past their size */
}

TEST(lengths_of_64_bits_are_read)
{
    memset(&section, 0, sizeof section);
    uint32_t cie = section_cie(&section, 1, "", "", 0);
    section_uint(&section, UINT32_MAX, 4);
    section_uint(&section, 24, 8);
    section_uint(&section, section.size - cie, 4); /* the id has 4 bytes */
    section_uint(&section, START, 8);
    section_uint(&section, 0x10, 8);
    section_uint(&section, 0, 4);
    source = section_source(&section);
    CHECK(prof_fde_find(&source, START, &fde));
    CHECK_EQ(fde.end, START + 0x10);
}

TEST(debug_frame_names_its_cie_by_offset)
{
    memset(&section, 0, sizeof section);
    (void)section_cie(&section, 4, "", "", 0);
    memset(section.bytes + 4, 0xff, 4); /* what a CIE's id is here */
    section_begin(&section);
    section_uint(&section, 0, 4); /* the CIE at 0 */
    section_uint(&section, START, 8);
    section_uint(&section, 0x10, 8);
    section_end(&section);
    source = section_source(&section);
    source.is_debug_frame = true;
    source.bias = 0x70000000;
    CHECK(prof_fde_find(&source, START + source.bias, &fde));
    CHECK(prof_rows_find(&rows, &fde, START + source.bias));
    CHECK(!prof_fde_find(&source, START, &fde));
}

static void write_functions(unsigned count)
{
    memset(&section, 0, sizeof section);
    uint32_t cie = section_cie(&section, 1, "zR", PCREL_SDATA4, 1);
    for (unsigned i = 0; i < count; i++) /* not in order */
        section_fde(
            &section, cie, START + 0x100 * (i * 7 % count), 0x80, "", 0);
}

TEST(an_index_finds_what_a_scan_finds)
{
    int32_t pairs[40];
    write_functions(20);
    struct prof_cfi_source scanned = section_source(&section);
    struct prof_cfi_source indexed = scanned;
    CHECK_EQ(prof_fde_count(&indexed), 20);
    CHECK(!prof_fde_index_build(&indexed, pairs, 19, 0));
    CHECK_EQ(indexed.index_count, 0);
    CHECK(prof_fde_index_build(&indexed, pairs, 20, 0));
    CHECK(prof_fde_index_is_sorted(&indexed));
    for (uint64_t pc = START - 0x40; pc < START + 0x1500; pc += 0x20) {
        struct prof_fde by_scan, by_index;
        bool is_found = prof_fde_find(&scanned, pc, &by_scan);
        CHECK_EQ(prof_fde_find(&indexed, pc, &by_index), is_found);
        CHECK_EQ(
            is_found,
            pc >= START && pc < START + 0x1400 && (pc - START) % 0x100 < 0x80);
        if (is_found)
            CHECK_EQ(by_scan.offset, by_index.offset);
    }
}

TEST(a_headers_table_is_adopted_only_when_it_is_sound)
{
    uint8_t bytes[] = {1, 0x1b, 0x03, 0x3b, 0xfc, 0x0f, 0, 0,    1, 0,
                       0, 0,    0,    0x20, 0,    0,    0, 0x10, 0, 0};
    struct prof_eh_frame_header header = {
        bytes, sizeof bytes, SECTION_ADDRESS - 0x1000};
    write_functions(1);
    source = section_source(&section);
    CHECK_EQ(prof_eh_frame_address(&header), SECTION_ADDRESS);
    CHECK(prof_fde_index_adopt(&source, &header));
    CHECK_EQ(source.index_count, 1);
    bytes[8] = 2; /* more pairs than there are */
    CHECK(!prof_fde_index_adopt(&source, &header));
    CHECK_EQ(source.index_count, 0);
    bytes[8] = 1;
    bytes[3] = 0x1b; /* another encoding */
    CHECK(!prof_fde_index_adopt(&source, &header));
    bytes[3] = 0x3b;
    bytes[0] = 2; /* another version */
    CHECK(!prof_fde_index_adopt(&source, &header));
    CHECK_EQ(prof_eh_frame_address(&header), 0);
}

/* The compact row of a program. */
#define ROW_IS(wanted, ...)                                                    \
    do {                                                                       \
        ROW_OF(0, __VA_ARGS__);                                                \
        CHECK_EQ(prof_row_encode(&rows.rules, fde.source), wanted);            \
    } while (0)

TEST(rows_are_compact_where_they_can_be)
{
    const uint32_t full = prof_row_make(PROF_ROW_FULL, 0, 0);
    ROW_IS(prof_row_make(PROF_ROW_SP, 1, 0), 0);
    ROW_IS(prof_row_make(PROF_ROW_FP, 2, 2), 0x0c, 6, 16, 0x86, 2);
    ROW_IS(prof_row_make(PROF_ROW_END, 0, 0), 0x07, 16);
    ROW_IS(
        prof_row_make(PROF_ROW_PLT, 1, 11), 0x0f, 11, 0x77, 8, 0x80, 0, 0x3f,
        0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22);
    ROW_IS(
        prof_row_make(PROF_ROW_REALIGNED, 1, 0), 0x0f, 3, 0x76, 0x78, 0x06,
        0x10, 6, 2, 0x76, 0);
    ROW_IS(full, 0x0c, 10, 0);          /* CFA by r10 */
    ROW_IS(full, 0x0e, 12);             /* not whole words */
    ROW_IS(full, 0x0e, 0x88, 0x80, 32); /* wider than a row */
    ROW_IS(full, 0x09, 16, 5);          /* RA in a register */
    ROW_IS(full, 0x90, 2);              /* RA elsewhere */
    ROW_IS(full, 0x86, 0x80, 4);        /* a far slot */
    ROW_IS(full, 0x09, 6, 14);          /* rbp in a register */
    ROW_IS(full, 0x0f, 2, 0x77, 8);     /* some expression */
}

TEST(a_stub_pushes_half_way)
{
    uint32_t row = prof_row_make(PROF_ROW_PLT, 1, 11);
    CHECK_EQ(prof_row_at(row, 0x1000), prof_row_make(PROF_ROW_SP, 1, 0));
    CHECK_EQ(prof_row_at(row, 0x100a), prof_row_make(PROF_ROW_SP, 1, 0));
    CHECK_EQ(prof_row_at(row, 0x100b), prof_row_make(PROF_ROW_SP, 2, 0));
}
