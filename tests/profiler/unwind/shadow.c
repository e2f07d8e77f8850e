/* The real call stack; see the header. */
#include "tests/profiler/unwind/shadow.h"

#include <stdlib.h>

#include "profiler/unwind/sig_walk.h"

/* Stacks are further apart than any of them is long. */
enum { STACKS_MAX = 8, STACK_KEY_SHIFT = 36 };
enum { NODES_MAX = 1 << 16 };

struct node {
    uint64_t slot; /* where the word is; gone once sp is above it */
    uint64_t frame;
    struct node *parent;
};

struct stack {
    uint64_t key;
    struct node *top; /* when it was left */
};

struct shadow {
    struct node *top;
    uint64_t key;
    struct stack stacks[STACKS_MAX];
    unsigned stack_count;
    unsigned long switches;
    /* Nodes are never freed singly: a stack that was left may hold them. */
    struct node nodes[NODES_MAX];
    unsigned node_count;
    struct node *free;
};

struct shadow *shadow_create(void)
{
    struct shadow *shadow = calloc(1, sizeof *shadow);
    if (shadow == NULL)
        abort();
    return shadow;
}

void shadow_destroy(struct shadow *shadow)
{
    free(shadow);
}

static void push(struct shadow *shadow, uint64_t slot, uint64_t frame)
{
    struct node *node = shadow->free;
    if (node != NULL)
        shadow->free = node->parent;
    else if (shadow->node_count < NODES_MAX)
        node = &shadow->nodes[shadow->node_count++];
    else
        abort();
    *node = (struct node){slot, frame, shadow->top};
    shadow->top = node;
}

static uint64_t key_of(uint64_t sp)
{
    return sp >> STACK_KEY_SHIFT;
}

static struct stack *find_stack(struct shadow *shadow, uint64_t key)
{
    for (unsigned i = 0; i < shadow->stack_count; i++)
        if (shadow->stacks[i].key == key)
            return &shadow->stacks[i];
    if (shadow->stack_count == STACKS_MAX)
        abort();
    struct stack *stack = &shadow->stacks[shadow->stack_count++];
    *stack = (struct stack){.key = key};
    return stack;
}

/*
 * Going to another stack: back to the one a signal interrupted, which is
 * among our callers, or to a fiber's, which is not.
 */
static void change_stack(struct shadow *shadow, uint64_t sp, uint64_t word)
{
    uint64_t key = key_of(sp);
    shadow->switches++;
    find_stack(shadow, shadow->key)->top = shadow->top;
    unsigned known = shadow->stack_count;
    struct node *node = shadow->top;
    while (node != NULL && key_of(node->slot) != key)
        node = node->parent;
    shadow->top = node != NULL ? node : find_stack(shadow, key)->top;
    shadow->key = key;
    if (shadow->top == NULL && shadow->stack_count > known)
        push(shadow, sp, word);
}

void shadow_set_base(
    struct shadow *shadow, uint64_t sp, const uint64_t *frames, uint32_t count)
{
    shadow->key = key_of(sp);
    for (uint32_t i = count; i > 0; i--)
        push(shadow, sp | 0xfffffffff, frames[i - 1]);
}

unsigned shadow_move(struct shadow *shadow, uint64_t sp, uint64_t word)
{
    unsigned count = 0;
    if (key_of(sp) != shadow->key)
        change_stack(shadow, sp, word);
    while (shadow->top != NULL && key_of(shadow->top->slot) == shadow->key &&
           shadow->top->slot < sp) {
        struct node *node = shadow->top;
        shadow->top = node->parent;
        node->parent = shadow->free;
        shadow->free = node;
        count++;
    }
    return count;
}

void shadow_call(struct shadow *shadow, uint64_t sp, uint64_t ret_pc)
{
    push(shadow, sp, ret_pc);
}

void shadow_signal(
    struct shadow *shadow, uint64_t old_sp, uint64_t pc, uint64_t sp,
    uint64_t restorer)
{
    push(shadow, old_sp - 1, pc | PROF_FRAME_EXACT);
    find_stack(shadow, shadow->key)->top = shadow->top;
    shadow->key = key_of(sp);
    push(shadow, sp, restorer);
}

uint32_t shadow_frames(
    const struct shadow *shadow, struct shadow_frame *frames, uint32_t capacity)
{
    uint32_t count = 0;
    for (const struct node *node = shadow->top;
         node != NULL && count < capacity; node = node->parent)
        frames[count++] = (struct shadow_frame){
            node->frame, node->slot % 8 == 0 ? node->slot : 0};
    return count;
}

unsigned long shadow_switches(const struct shadow *shadow)
{
    return shadow->switches;
}
