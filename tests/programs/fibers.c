/* Works on small stacks of its own making, switching between them. */
#include <stdio.h>
#include <ucontext.h>

#include "tests/programs/burn.h"

enum { FIBERS = 4, STACK_BYTES = 32 * 1024, TURNS = 40 };

static ucontext_t scheduler, fibers[FIBERS];
static char stacks[FIBERS][STACK_BYTES] __attribute__((aligned(16)));
static int turns;

static void fiber_work(int self)
{
    for (;;) {
        burn_ns(2 * NS_PER_MS);
        turns++;
        swapcontext(&fibers[self], &scheduler);
    }
}

int main(void)
{
    for (int i = 0; i < FIBERS; i++) {
        getcontext(&fibers[i]);
        fibers[i].uc_stack.ss_sp = stacks[i];
        fibers[i].uc_stack.ss_size = STACK_BYTES;
        fibers[i].uc_link = NULL;
        makecontext(&fibers[i], (void (*)(void))fiber_work, 1, i);
    }
    for (int turn = 0; turn < TURNS * FIBERS; turn++)
        swapcontext(&scheduler, &fibers[turn % FIBERS]);
    printf("%d turns\n", turns);
    return 0;
}
