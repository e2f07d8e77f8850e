/* Where handlers return to, ours and the program's that we start. */
#ifndef PROFILER_AGENT_SIG_RESTORER_H
#define PROFILER_AGENT_SIG_RESTORER_H

/* rt_sigreturn(2). */
__attribute__((visibility("hidden"))) void prof_restore_rt(void);

#endif
