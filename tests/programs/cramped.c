/*
 * A thread with an alternate signal stack of the smallest size the kernel
 * accepts, amid memory that nobody may touch: cramped. Prints how many bytes
 * below it were changed while the thread was busy. It is set as a runtime
 * without libc would, so that samples have to be taken there.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "burn.h"

enum { SURROUNDINGS = 1 << 20, PATTERN = 0xCC };

int main(void)
{
    size_t smallest = getauxval(AT_MINSIGSTKSZ);
    unsigned char *memory = mmap(
        NULL, SURROUNDINGS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
        -1, 0);
    if (memory == MAP_FAILED)
        return 1;
    memset(memory, PATTERN, SURROUNDINGS);
    /* glibc's MINSIGSTKSZ, where the kernel's frame leaves room in it. */
    unsigned char *bottom = memory + SURROUNDINGS / 2;
    stack_t stack = {.ss_sp = bottom, .ss_size = smallest + 272};
    if (stack.ss_size < 2048)
        stack.ss_size = 2048;
    if (syscall(SYS_sigaltstack, &stack, NULL) != 0)
        return 1;

    volatile uint64_t sum = 0;
    uint64_t end = thread_cpu_ns() + NS_PER_SECOND / 2;
    while (thread_cpu_ns() < end) {
        for (int i = 0; i < 100000; i++)
            sum += (uint64_t)i;
    }
    const unsigned char *lowest = memory;
    while (lowest < bottom && *lowest == PATTERN)
        lowest++;
    printf("%zd\n", bottom - lowest);
    return 0;
}
