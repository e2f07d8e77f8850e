/* A chain of frame pointers; see the header. */
#include "profiler/tap/frame_chain.h"

#include <string.h>

#include <linux/perf_event.h>

#include "profiler/collector/call_sites.h"
#include "profiler/unwind/process_reader.h"

enum { WORD = 8 };

struct prof_frame_chain prof_frame_chain_of_user(
    const uint64_t *chain, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        if (chain[i] == (uint64_t)PERF_CONTEXT_USER)
            return (struct prof_frame_chain){chain + i + 1, count - i - 1};
    }
    return (struct prof_frame_chain){NULL, 0};
}

uint64_t prof_frame_chain_read(
    pid_t tid, const struct prof_regs *regs, uint64_t *words)
{
    static struct prof_process_reader reader; /* of our one thread */
    uint64_t fp = regs->value[PROF_REG_FP], count = 0, next_fp, ret_pc;
    prof_process_reader_init(&reader, tid);
    words[count++] = regs->value[PROF_REG_PC];
    while (count < PROF_FRAME_CHAIN_MOST && fp != 0 && fp % WORD == 0 &&
           prof_reader_load(&reader.reader, fp, &next_fp) &&
           prof_reader_load(&reader.reader, fp + WORD, &ret_pc)) {
        words[count++] = ret_pc;
        fp = next_fp;
    }
    return count;
}

/*
 * What of the chain comes after the walk's last frame: behind the same return
 * address, or from the one on that is behind a call of its function.
 */
static uint64_t find_joint(
    const struct prof_frame_chain *chain, struct prof_code *code,
    struct prof_reader *bytes, uint64_t word)
{
    for (uint64_t i = 1; i < chain->count; i++) {
        if (chain->words[i] == (word & PROF_FRAME_ADDRESS))
            return i + 1;
    }
    uint64_t pc = prof_pc_of_word(word);
    uint64_t function = prof_code_function(&code->modules, pc);
    for (uint64_t i = 1; function != 0 && i < chain->count; i++) {
        struct prof_call_site site =
            prof_call_site_before(bytes, chain->words[i]);
        if (site.is_direct && site.target == function)
            return i;
    }
    return chain->count;
}

void prof_frame_chain_join(
    const struct prof_frame_chain *chain, struct prof_code *code,
    struct prof_reader *bytes, struct prof_walk *walk)
{
    uint64_t word = walk->frames[walk->count - 1];
    uint64_t at = find_joint(chain, code, bytes, word);
    uint32_t count = walk->count;
    for (; at < chain->count && count < walk->capacity; at++) {
        if (!prof_code_is_go(code, chain->words[at] - 1))
            break;
        walk->frames[count] = chain->words[at];
        if (count++ == walk->count)
            walk->frames[walk->count] |= PROF_FRAME_GUESSED;
    }
    /* It ends where the frame pointer does, which is zero in the first. */
    if (count > walk->count && at == chain->count &&
        chain->count < PROF_FRAME_CHAIN_MOST)
        walk->end = PROF_WALK_COMPLETE;
    walk->count = count;
}
