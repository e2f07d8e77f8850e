/* Calls of functions without a frame, x86-64; see the header. */
#include "profiler/unwind/sig_direct_call.h"

enum {
    CALL = 0xe8, /* call rel32 (Intel SDM, volume 2A) */
    CALL_BYTES = 5,
    FUNCTION_BYTES_MAX = 1024, /* looked at in every sample that gets here */
    FRAME_BYTES = 4,
};

/* push %rbp; mov %rsp,%rbp, or sub of a small or a large number from %rsp. */
static bool makes_frame(const uint8_t *code)
{
    bool is_pointer = code[0] == 0x55 && code[1] == 0x48 && code[2] == 0x89 &&
                      code[3] == 0xe5;
    bool is_room = code[0] == 0x48 && (code[1] == 0x83 || code[1] == 0x81) &&
                   code[2] == 0xec;
    return is_pointer || is_room;
}

/* Where the call before `ret_pc` leads; 0: there is none. */
static uint64_t called(const struct prof_text *text, uint64_t ret_pc)
{
    if (text->code == NULL || ret_pc - text->start < CALL_BYTES)
        return 0;
    const uint8_t *code = text->code + (ret_pc - CALL_BYTES - text->start);
    uint32_t distance = (uint32_t)code[1] | (uint32_t)code[2] << 8 |
                        (uint32_t)code[3] << 16 | (uint32_t)code[4] << 24;
    return code[0] == CALL ? ret_pc + (uint64_t)(int64_t)(int32_t)distance : 0;
}

bool prof_direct_call_is_frameless(
    const struct prof_text *caller, uint64_t ret_pc,
    const struct prof_text *callee, uint64_t pc)
{
    uint64_t start = called(caller, ret_pc);
    if (start < callee->start || pc < start ||
        pc - start > FUNCTION_BYTES_MAX || callee->code == NULL ||
        callee->end - pc < FRAME_BYTES)
        return false;
    const uint8_t *code = callee->code + (start - callee->start);
    for (uint64_t i = 0; i < pc - start; i++) {
        if (makes_frame(code + i))
            return false;
    }
    return true;
}
