/*
 * What a function returns that does next to nothing: `return "text"`, `return
 * member`, `return &member`, as gcc and clang translate it with and without
 * optimisation. A dozen instructions are known, and nothing of them is run.
 */
#include "profiler/collector/crash_words.h"

#include <string.h>

enum { INSTRUCTIONS_MAX = 16, CODE_BYTES = 16 };

/* An instruction: its first bytes, and what follows them. */
struct pattern {
    uint8_t bytes[4];
    uint8_t byte_count, immediate_bytes;
    enum effect {
        NOTHING,    /* saves and restores the frame, or the argument */
        ARGUMENT,   /* rax = object */
        MEMBER_OF,  /* rax = [object + immediate] */
        ADDRESS_OF, /* rax = object + immediate */
        FOLLOW,     /* rax = [rax + immediate] */
        ADD,        /* rax += immediate */
        CONSTANT,   /* rax = immediate */
        RELATIVE,   /* rax = end of the instruction + immediate */
        RETURN,
    } effect;
};

static const struct pattern patterns[] = {
    {{0xf3, 0x0f, 0x1e, 0xfa}, 4, 0, NOTHING},  /* endbr64 */
    {{0x55}, 1, 0, NOTHING},                    /* push %rbp */
    {{0x48, 0x89, 0xe5}, 3, 0, NOTHING},        /* mov %rsp, %rbp */
    {{0x48, 0x89, 0x7d, 0xf8}, 4, 0, NOTHING},  /* mov %rdi, -8(%rbp) */
    {{0x5d}, 1, 0, NOTHING},                    /* pop %rbp */
    {{0xc9}, 1, 0, NOTHING},                    /* leave */
    {{0x48, 0x8b, 0x45, 0xf8}, 4, 0, ARGUMENT}, /* mov -8(%rbp), %rax */
    {{0x48, 0x89, 0xf8}, 3, 0, ARGUMENT},       /* mov %rdi, %rax */
    {{0x48, 0x8b, 0x47}, 3, 1, MEMBER_OF},      /* mov 8(%rdi), %rax */
    {{0x48, 0x8b, 0x87}, 3, 4, MEMBER_OF},
    {{0x48, 0x8d, 0x47}, 3, 1, ADDRESS_OF}, /* lea 8(%rdi), %rax */
    {{0x48, 0x8d, 0x87}, 3, 4, ADDRESS_OF},
    {{0x48, 0x8b, 0x40}, 3, 1, FOLLOW}, /* mov 8(%rax), %rax */
    {{0x48, 0x8b, 0x80}, 3, 4, FOLLOW},
    {{0x48, 0x83, 0xc0}, 3, 1, ADD}, /* add $8, %rax */
    {{0x48, 0x05}, 2, 4, ADD},
    {{0xb8}, 1, 4, CONSTANT},             /* mov $text, %eax */
    {{0x48, 0x8d, 0x05}, 3, 4, RELATIVE}, /* lea text(%rip), %rax */
    {{0xc3}, 1, 0, RETURN},
};

static const struct pattern *decode(const uint8_t *code)
{
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        if (memcmp(code, patterns[i].bytes, patterns[i].byte_count) == 0)
            return &patterns[i];
    }
    return NULL;
}

static int64_t immediate_of(const struct pattern *pattern, const uint8_t *code)
{
    int8_t byte;
    int32_t word;
    memcpy(&byte, code + pattern->byte_count, sizeof byte);
    memcpy(&word, code + pattern->byte_count, sizeof word);
    return pattern->immediate_bytes == 0   ? 0
           : pattern->immediate_bytes == 1 ? byte
                                           : word;
}

/* What `rax` is after it; false: its memory cannot be read. */
static bool apply(
    struct prof_reader *memory, enum effect effect, uint64_t base,
    uint64_t *rax)
{
    switch (effect) {
    case MEMBER_OF:
    case FOLLOW:
        return prof_reader_load(memory, base, rax);
    case NOTHING:
    case RETURN:
        return true;
    default:
        *rax = base;
        return true;
    }
}

uint64_t prof_crash_simple_result(
    struct prof_reader *memory, uint64_t function_pc, uint64_t object)
{
    uint64_t rax = 0, pc = function_pc;
    for (int i = 0; i < INSTRUCTIONS_MAX; i++) {
        uint64_t code[CODE_BYTES / sizeof(uint64_t)];
        if (pc == 0 || !prof_reader_load(memory, pc, &code[0]) ||
            !prof_reader_load(memory, pc + sizeof *code, &code[1]))
            return 0;
        const struct pattern *pattern = decode((const uint8_t *)code);
        if (pattern == NULL)
            return 0;
        if (pattern->effect == RETURN)
            return rax;
        pc += pattern->byte_count + pattern->immediate_bytes;
        const uint64_t bases[] = {
            [ARGUMENT] = object, [MEMBER_OF] = object, [ADDRESS_OF] = object,
            [FOLLOW] = rax,      [ADD] = rax,          [RELATIVE] = pc,
            [RETURN] = 0};
        uint64_t base = bases[pattern->effect] +
                        (uint64_t)immediate_of(pattern, (const uint8_t *)code);
        if (!apply(memory, pattern->effect, base, &rax))
            return 0;
    }
    return 0;
}
