/* An action as rt_sigaction(2) takes it. */
#ifndef PROFILER_AGENT_KERNEL_SIGACTION_H
#define PROFILER_AGENT_KERNEL_SIGACTION_H

#include <stdint.h>

/* As the kernel defines it for rt_sigaction(2) on x86-64. */
struct prof_kernel_sigaction {
    void (*handler)(int);
    uint64_t flags;
    void (*restorer)(void);
    uint64_t mask;
};

#define PROF_SA_RESTORER 0x04000000u /* every action on x86-64 has it */

#endif
