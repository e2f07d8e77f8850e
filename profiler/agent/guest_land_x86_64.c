/*
 * Where a guest's thread begins and ends, x86-64: the code that cannot be C,
 * because the stack is not there yet, or not there any more.
 */
#include "profiler/agent/guest.h"

__asm__(".text\n"
        ".balign 16\n"
        ".globl prof_guest_land\n"
        ".type prof_guest_land, @function\n"
        "prof_guest_land:\n"
        "pop %rdi\n"
        "xor %ebp, %ebp\n"
        "call prof_guest_run\n"
        "ud2\n"
        ".size prof_guest_land, . - prof_guest_land\n");

enum { PAGE_BYTES = 4096 };

/*
 * vanish(begin, before_bytes, after, after_bytes): munmap() both sides of the
 * page that this stands in, and exit(). Within one page, and without a stack.
 */
__asm__(".text\n"
        ".balign 64\n"
        ".type vanish, @function\n"
        "vanish:\n"
        "mov %rdx, %r12\n"
        "mov %rcx, %r13\n"
        "mov $11, %eax\n" /* __NR_munmap */
        "syscall\n"
        "mov %r12, %rdi\n"
        "mov %r13, %rsi\n"
        "mov $11, %eax\n"
        "syscall\n"
        "xor %edi, %edi\n"
        "mov $60, %eax\n" /* __NR_exit */
        "syscall\n"
        "ud2\n"
        ".size vanish, . - vanish\n"
        ".if . - vanish > 64\n"
        ".error \"may stand in two pages\"\n"
        ".endif\n");

__attribute__((noreturn)) void vanish(
    uint64_t begin, uint64_t before_bytes, uint64_t after,
    uint64_t after_bytes) __asm__("vanish")
    __attribute__((visibility("hidden")));

void prof_guest_vanish(uint64_t begin, uint64_t end)
{
    uint64_t page = (uint64_t)(uintptr_t)vanish & ~(uint64_t)(PAGE_BYTES - 1);
    vanish(begin, page - begin, page + PAGE_BYTES, end - page - PAGE_BYTES);
}
