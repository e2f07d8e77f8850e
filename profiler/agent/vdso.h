/* The clock in the vDSO. */
#ifndef PROFILER_AGENT_VDSO_H
#define PROFILER_AGENT_VDSO_H

/* Find clock_gettime in the vDSO at `base`; NULL when it is not there. */
void *prof_vdso_clock_gettime(const void *base);

#endif
