/*
 * Any registers, stack and CFI: a walk ends within its capacity, reads only
 * the stack it was given, and is the same with and without cache and trail.
 *
 *   17 * 8 bytes   the registers; the stack pointer is moved into the stack
 *   2 bytes        size of the stack
 *   the stack, then .eh_frame
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/unwind/modules.h"
#include "profiler/unwind/sig_walker.h"

enum { FRAMES_MAX = 64, REGISTER_BYTES = 8 * PROF_REG_COUNT };

/* Where a fuzzer finds code, a stack and CFI with few bits to guess. */
#define TEXT_START    UINT64_C(0x100000)
#define TEXT_END      UINT64_C(0x200000)
#define FRAME_ADDRESS UINT64_C(0x200000)
#define STACK_START   UINT64_C(0x300000)

struct input {
    struct prof_regs regs;
    uint8_t *stack, *frames;
    size_t stack_bytes, frames_bytes;
};

static uint8_t *copy(const uint8_t *bytes, size_t size)
{
    uint8_t *copied = malloc(size + (size == 0));
    if (copied == NULL)
        abort();
    memcpy(copied, bytes, size);
    return copied;
}

static void parse(struct input *input, const uint8_t *data, size_t size)
{
    uint16_t wanted;
    memcpy(input->regs.value, data, REGISTER_BYTES);
    memcpy(&wanted, data + REGISTER_BYTES, sizeof wanted);
    data += REGISTER_BYTES + sizeof wanted;
    size -= REGISTER_BYTES + sizeof wanted;
    input->stack_bytes = wanted % 1024 < size ? wanted % 1024 : size;
    input->stack = copy(data, input->stack_bytes);
    input->frames_bytes = size - input->stack_bytes;
    input->frames = copy(data + input->stack_bytes, input->frames_bytes);
    input->regs.known = PROF_REGS_ALL;
    uint64_t *sp = &input->regs.value[PROF_REG_SP];
    *sp = STACK_START + *sp % (input->stack_bytes + 1) / 8 * 8;
}

static struct prof_modules *publish(const struct input *input)
{
    static struct prof_modules modules;
    struct prof_text text = {
        .start = TEXT_START,
        .end = TEXT_END,
        .eh_frame =
            {
                .bytes = input->frames,
                .size_bytes = input->frames_bytes,
                .address = FRAME_ADDRESS,
            },
    };
    modules.is_settled = true;
    if (!prof_modules_publish(&modules, &text, 1, NULL))
        abort();
    return &modules;
}

static struct prof_walk walk(
    const struct input *input, struct prof_modules *modules,
    struct prof_row_cache *cache, struct prof_trail *trail, uint64_t *frames)
{
    struct prof_reader reader = {.refill = NULL};
    struct prof_walk result = {.frames = frames, .capacity = FRAMES_MAX};
    prof_reader_set_window(
        &reader, STACK_START, STACK_START + input->stack_bytes,
        (uint64_t)(uintptr_t)input->stack);
    if (trail != NULL && !prof_trail_begin(trail, 1, 1))
        abort();
    prof_walk_stack(
        &input->regs, NULL, &reader, modules, cache, trail, &result);
    if (result.count == 0 || result.count > FRAMES_MAX)
        abort();
    return result;
}

/* What the cache holds is of this input alone; clearing it would be slow. */
static void clean(struct prof_row_cache *cache, const uint64_t *frames)
{
    for (unsigned i = 0; i < FRAMES_MAX; i++) {
        uint64_t pc = frames[i] & PROF_FRAME_ADDRESS;
        for (uint64_t key = pc; key <= pc + 1; key++)
            for (unsigned way = 0; way < 2; way++)
                atomic_store(
                    &cache->entries[prof_row_cache_index(key) ^ way], 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct prof_row_cache cache;
    static struct prof_trail trail;
    uint64_t plain[FRAMES_MAX] = {0}, fast[FRAMES_MAX] = {0};
    struct input input;
    if (size < REGISTER_BYTES + 2)
        return 0;
    parse(&input, data, size);
    struct prof_modules *modules = publish(&input);
    struct prof_walk wanted = walk(&input, modules, NULL, NULL, plain);
    trail.old_count = 0;
    trail.end_key = 0;
    for (unsigned i = 0; i < 3; i++) {
        struct prof_walk got = walk(&input, modules, &cache, &trail, fast);
        if (got.count != wanted.count || got.end != wanted.end ||
            memcmp(plain, fast, sizeof *plain * got.count) != 0)
            abort();
    }
    clean(&cache, plain);
    free(input.stack);
    free(input.frames);
    return 0;
}
