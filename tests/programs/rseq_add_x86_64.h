/*
 * One more in a counter of a processor, by a restartable sequence (rseq(2)), of
 * some hundred instructions between the load and the store: a thread that is
 * moved or interrupted within must begin again, or an addition is lost.
 */
#ifndef TESTS_PROGRAMS_RSEQ_ADD_X86_64_H
#define TESTS_PROGRAMS_RSEQ_ADD_X86_64_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/rseq.h>

static inline struct rseq *own_rseq(void)
{
    return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

/* False: it was aborted, and nothing was added. */
__attribute__((noinline, noclone)) static bool rseq_add(uint64_t *counters)
{
    struct rseq *rseq = own_rseq();
    uint32_t cpu = rseq->cpu_id_start;
    uint64_t *counter = &counters[cpu];
    __asm__ volatile goto(
        ".pushsection __rseq_cs, \"aw\"\n"
        ".balign 32\n"
        "3: .long 0, 0\n"
        ".quad 1f, 2f - 1f, 4f\n"
        ".popsection\n"
        "leaq 3b(%%rip), %%rax\n"
        "movq %%rax, %[section]\n"
        "1: cmpl %[cpu], %[cpu_id]\n"
        "jne 4f\n"
        "movq (%[counter]), %%rax\n"
        "movl $300, %%ecx\n"
        "5: decl %%ecx\n"
        "jnz 5b\n"
        "addq $1, %%rax\n"
        "movq %%rax, (%[counter])\n"
        "2:\n"
        ".pushsection __rseq_failure, \"ax\"\n"
        ".byte 0x0f, 0xb9, 0x3d\n"
        ".long 0x53053053\n" /* RSEQ_SIG */
        "4: jmp %l[aborted]\n"
        ".popsection\n"
        :
        : [section] "m"(rseq->rseq_cs), [cpu_id] "m"(rseq->cpu_id),
          [cpu] "r"(cpu), [counter] "r"(counter)
        : "rax", "rcx", "memory", "cc"
        : aborted);
    return true;
aborted:
    return false;
}

#endif
