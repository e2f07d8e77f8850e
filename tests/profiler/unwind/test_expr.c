/* DWARF expressions: every operation, and every way to go wrong. */
#include "profiler/unwind/sig_dwarf_expr.h"
#include "tests/harness.h"

#define MEMORY UINT64_C(0x1000)

static uint64_t result;

/* Registers are 100 + their column; memory is two known words. */
static enum prof_expr_end evaluate(
    const uint8_t *code, size_t size, const uint64_t *first)
{
    static const uint64_t words[] = {
        UINT64_C(0x1122334455667788), UINT64_C(0x99aabbccddeeff00)};
    struct prof_regs regs = {.known = PROF_REGS_ALL & ~(1u << 12)};
    for (unsigned i = 0; i < PROF_REG_COUNT; i++)
        regs.value[i] = 100 + i;
    struct prof_reader reader = {.refill = NULL};
    prof_reader_set_window(
        &reader, MEMORY, MEMORY + sizeof words, (uint64_t)(uintptr_t)words);
    struct prof_expr expr = {
        .block = {.at = code, .end = code + size},
        .regs = &regs,
        .reader = &reader,
        .bias = 0x70000000,
    };
    result = UINT64_C(0xdeadbeef);
    return prof_expr_evaluate(&expr, first, &result);
}

#define END_OF(...)                                                            \
    evaluate(                                                                  \
        (const uint8_t[]){__VA_ARGS__},                                        \
        sizeof((const uint8_t[]){__VA_ARGS__}), NULL)

#define GIVES(wanted, ...)                                                     \
    do {                                                                       \
        CHECK_EQ(END_OF(__VA_ARGS__), PROF_EXPR_DONE);                         \
        CHECK_EQ(result, wanted);                                              \
    } while (0)

#define FAILS(wanted, ...)                                                     \
    do {                                                                       \
        CHECK_EQ(END_OF(__VA_ARGS__), wanted);                                 \
        CHECK_EQ(result, 0xdeadbeef);                                          \
    } while (0)

TEST(constants_are_pushed)
{
    GIVES(0, 0x30);
    GIVES(31, 0x4f);
    GIVES(0xfe, 0x08, 0xfe);
    GIVES((uint64_t)-2, 0x09, 0xfe);
    GIVES(0xfffe, 0x0a, 0xfe, 0xff);
    GIVES((uint64_t)-2, 0x0b, 0xfe, 0xff);
    GIVES(0xfffffffe, 0x0c, 0xfe, 0xff, 0xff, 0xff);
    GIVES((uint64_t)-2, 0x0d, 0xfe, 0xff, 0xff, 0xff);
    GIVES(1, 0x0e, 1, 0, 0, 0, 0, 0, 0, 0);
    GIVES(UINT64_MAX, 0x0f, 255, 255, 255, 255, 255, 255, 255, 255);
    GIVES(300, 0x10, 0xac, 0x02);
    GIVES((uint64_t)-2, 0x11, 0x7e);
    GIVES(0x70000001, 0x03, 1, 0, 0, 0, 0, 0, 0, 0); /* addr + bias */
}

TEST(registers_are_read)
{
    GIVES(107, 0x57);           /* reg7 */
    GIVES(107 + 8, 0x77, 8);    /* breg7 */
    GIVES(116 - 1, 0x80, 0x7f); /* breg16: the pc */
    GIVES(103, 0x90, 3);        /* regx */
    GIVES(103 - 2, 0x92, 3, 0x7e);
    FAILS(PROF_EXPR_UNKNOWN_REGISTER, 0x7c, 0);
    FAILS(PROF_EXPR_INVALID, 0x90, 17);
}

TEST(the_stack_is_moved)
{
    GIVES(5, 0x35, 0x12, 0x1c, 0x35, 0x22); /* dup */
    GIVES(1, 0x31, 0x32, 0x13);             /* drop */
    GIVES(1, 0x31, 0x32, 0x14);             /* over */
    GIVES(1, 0x31, 0x32, 0x33, 0x15, 2);    /* pick */
    GIVES(1, 0x31, 0x32, 0x16);             /* swap */
    GIVES(2, 0x31, 0x32, 0x33, 0x17);       /* rot: 3 1 2 */
    GIVES(1, 0x31, 0x32, 0x33, 0x17, 0x13);
    GIVES(3, 0x31, 0x32, 0x33, 0x17, 0x13, 0x13);
}

TEST(values_are_computed)
{
    GIVES(3, 0x11, 0x7d, 0x19);                  /* abs */
    GIVES(0xf & 5, 0x3f, 0x35, 0x1a);            /* and */
    GIVES((uint64_t)-3, 0x11, 0x77, 0x33, 0x1b); /* -9 / 3 */
    GIVES(9, 0x11, 0x77, 0x11, 0x7f, 0x1b);      /* -9 / -1 */
    GIVES(2, 0x35, 0x33, 0x1c);                  /* minus */
    GIVES(2, 0x35, 0x33, 0x1d);                  /* mod */
    GIVES(15, 0x35, 0x33, 0x1e);                 /* mul */
    GIVES((uint64_t)-5, 0x35, 0x1f);             /* neg */
    GIVES(~UINT64_C(5), 0x35, 0x20);             /* not */
    GIVES(7, 0x35, 0x33, 0x21);                  /* or */
    GIVES(8, 0x35, 0x33, 0x22);                  /* plus */
    GIVES(305, 0x35, 0x23, 0xac, 0x02);          /* plus_uconst */
    GIVES(40, 0x35, 0x33, 0x24);                 /* shl */
    GIVES(2, 0x35, 0x31, 0x25);                  /* shr */
    GIVES((uint64_t)-3, 0x11, 0x7b, 0x31, 0x26); /* shra: -5 >> 1 */
    GIVES(0, 0x35, 0x08, 64, 0x24);              /* shifted out */
    GIVES(0, 0x35, 0x08, 64, 0x25);
    GIVES(UINT64_MAX, 0x11, 0x7b, 0x08, 200, 0x26);
    GIVES(6, 0x35, 0x33, 0x27);                 /* xor */
    FAILS(PROF_EXPR_INVALID, 0x35, 0x30, 0x1b); /* by zero */
    FAILS(PROF_EXPR_INVALID, 0x35, 0x30, 0x1d);
}

TEST(comparisons_are_signed)
{
    GIVES(1, 0x35, 0x35, 0x29);       /* eq */
    GIVES(1, 0x35, 0x11, 0x7f, 0x2a); /* 5 >= -1 */
    GIVES(0, 0x35, 0x35, 0x2b);       /* gt */
    GIVES(1, 0x35, 0x35, 0x2c);       /* le */
    GIVES(1, 0x11, 0x7f, 0x30, 0x2d); /* -1 < 0 */
    GIVES(1, 0x35, 0x33, 0x2e);       /* ne */
}

TEST(branches_stay_inside)
{
    GIVES(2, 0x31, 0x28, 1, 0, 0x39, 0x32);           /* taken over a lit9 */
    GIVES(9, 0x30, 0x28, 1, 0, 0x39);                 /* not taken */
    GIVES(7, 0x37, 0x2f, 1, 0, 0x39);                 /* skip to the end */
    GIVES(7, 0x37, 0x96, 0x96);                       /* nop */
    FAILS(PROF_EXPR_INVALID, 0x2f, 0x7f, 0);          /* past the end */
    FAILS(PROF_EXPR_INVALID, 0x2f, 0xf0, 0xff);       /* before the start */
    FAILS(PROF_EXPR_INVALID, 0x37, 0x2f, 0xfd, 0xff); /* for ever */
}

TEST(memory_is_read_through_the_reader)
{
    GIVES(UINT64_C(0x1122334455667788), 0x0a, 0x00, 0x10, 0x06);
    GIVES(UINT64_C(0x0011223344556677), 0x0a, 0x01, 0x10, 0x06);
    GIVES(0x88, 0x0a, 0x00, 0x10, 0x94, 1);
    GIVES(0x55667788, 0x0a, 0x00, 0x10, 0x94, 4);
    GIVES(0x99, 0x0a, 0x0f, 0x10, 0x94, 1); /* the last byte there is */
    FAILS(PROF_EXPR_UNREADABLE, 0x0a, 0x09, 0x10, 0x06);
    FAILS(PROF_EXPR_UNREADABLE, 0x0a, 0xff, 0x0f, 0x94, 1);
    FAILS(PROF_EXPR_UNREADABLE, 0x0a, 0x10, 0x10, 0x94, 1);
    FAILS(PROF_EXPR_INVALID, 0x0a, 0x00, 0x10, 0x94, 3);
}

TEST(the_cfa_may_be_on_the_stack_first)
{
    uint64_t cfa = 5000;
    static const uint8_t code[] = {0x38, 0x1c};
    CHECK_EQ(evaluate(code, sizeof code, &cfa), PROF_EXPR_DONE);
    CHECK_EQ(result, 4992);
}

TEST(what_cfi_cannot_have_is_refused)
{
    FAILS(PROF_EXPR_INVALID, 0x96); /* nothing left */
    FAILS(PROF_EXPR_INVALID, 0x22); /* nothing to add */
    FAILS(PROF_EXPR_INVALID, 0x31, 0x15, 1);
    FAILS(PROF_EXPR_INVALID, 0x91, 0);    /* fbreg */
    FAILS(PROF_EXPR_INVALID, 0x9c);       /* call_frame_cfa */
    FAILS(PROF_EXPR_INVALID, 0xe0);       /* thread-local storage */
    FAILS(PROF_EXPR_INVALID, 0x0e, 1, 2); /* an operand past the end */
}

TEST(the_stack_is_bounded)
{
    uint8_t code[PROF_EXPR_STACK + 1];
    for (unsigned i = 0; i < sizeof code; i++)
        code[i] = 0x31;
    CHECK_EQ(evaluate(code, PROF_EXPR_STACK, NULL), PROF_EXPR_DONE);
    CHECK_EQ(evaluate(code, sizeof code, NULL), PROF_EXPR_INVALID);
}
