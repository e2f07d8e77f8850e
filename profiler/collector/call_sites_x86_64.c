/* Calls and prologues, x86-64; see the header. */
#include "profiler/collector/call_sites.h"

#include <string.h>

/* A word of code is read at once; a prologue is looked for in so many. */
enum { CODE_BYTES = 8, PROLOGUE_BYTES = 64 };

static bool read_code(struct prof_reader *code, uint64_t pc, uint8_t *bytes)
{
    uint64_t word;
    if (!prof_reader_load(code, pc, &word))
        return false;
    memcpy(bytes, &word, sizeof word);
    return true;
}

static uint64_t relative_target(const uint8_t *operand, uint64_t next_pc)
{
    int32_t distance;
    memcpy(&distance, operand, sizeof distance);
    return next_pc + (uint64_t)(int64_t)distance;
}

uint64_t prof_call_behind_plt(struct prof_reader *code, uint64_t pc)
{
    static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
    uint8_t bytes[CODE_BYTES];
    uint64_t at = pc, target;
    if (read_code(code, at, bytes) &&
        memcmp(bytes, endbr64, sizeof endbr64) == 0)
        at += sizeof endbr64;
    if (read_code(code, at, bytes) && bytes[0] == 0xf2) /* bnd */
        at++;
    /* jmp *distance(%rip) */
    if (!read_code(code, at, bytes) || bytes[0] != 0xff || bytes[1] != 0x25)
        return pc;
    uint64_t slot = relative_target(bytes + 2, at + 6);
    return prof_reader_load(code, slot, &target) ? target : pc;
}

struct prof_call_site prof_call_site_before(
    struct prof_reader *code, uint64_t ret_pc)
{
    struct prof_call_site site = {.is_direct = false};
    uint8_t bytes[CODE_BYTES]; /* the last one is just before ret_pc */
    if (!read_code(code, ret_pc - CODE_BYTES, bytes))
        return site;
    site.is_direct = bytes[3] == 0xe8; /* call rel32 */
    if (site.is_direct)
        site.target = relative_target(bytes + 4, ret_pc);
    /* call r/m64 is ff /2: 2 to 7 bytes with its operand, before which a
       prefix may stand. */
    for (int at = 1; at <= CODE_BYTES - 2 && !site.is_indirect; at++)
        site.is_indirect = bytes[at] == 0xff && (bytes[at + 1] >> 3 & 7) == 2;
    return site;
}

/* ---- prologues ---- */

static uint8_t byte_at(struct prof_reader *code, uint64_t pc, bool *is_read)
{
    uint8_t bytes[CODE_BYTES];
    *is_read = *is_read && read_code(code, pc, bytes);
    return *is_read ? bytes[0] : 0;
}

/* mov %rsp,%rbp; push ...; sub $bytes,%rsp */
uint64_t prof_prologue_bytes(
    struct prof_reader *code, uint64_t function, uint64_t pc)
{
    static const uint8_t move[] = {0x48, 0x89, 0xe5};
    uint8_t bytes[CODE_BYTES];
    uint64_t at = function, end = at + PROLOGUE_BYTES;
    bool is_read = at != 0;
    while (is_read && at < end && (is_read = read_code(code, at, bytes)) &&
           memcmp(bytes, move, sizeof move) != 0)
        at++;
    if (!is_read || at >= end)
        return 0;
    at += sizeof move;
    uint64_t below = 16; /* the caller's frame pointer, the return address */
    for (;; below += 8) {
        uint8_t first = byte_at(code, at, &is_read);
        if (first == 0x41 && (byte_at(code, at + 1, &is_read) & 0xf8) == 0x50)
            at += 2; /* push %r8 to %r15 */
        else if ((first & 0xf8) == 0x50)
            at++;
        else
            break;
    }
    if (!is_read || !read_code(code, at, bytes) || at >= pc)
        return 0;
    if (bytes[0] != 0x48 || bytes[2] != 0xec ||
        (bytes[1] != 0x83 && bytes[1] != 0x81))
        return below;
    uint32_t locals = bytes[3];
    if (bytes[1] == 0x81)
        memcpy(&locals, bytes + 3, sizeof locals);
    return below + locals;
}
