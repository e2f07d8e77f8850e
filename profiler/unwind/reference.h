/*
 * The reference engine: libunwind, walking from the signal's context
 * (--unwinder=libunwind).
 *
 * It is opened with dlopen and RTLD_LOCAL. As a needed library of a preloaded
 * one, libunwind would replace the program's own _Unwind_* and with them its
 * C++ exceptions. It takes loader locks and makes system calls: an oracle, not
 * an engine for production.
 */
#ifndef PROFILER_UNWIND_REFERENCE_H
#define PROFILER_UNWIND_REFERENCE_H

#include "profiler/unwind/sig_walk.h"

/*
 * Load libunwind.
 *
 *   returns  the engine (static storage), or NULL and the reason in `*reason`
 *   context  normal, once, before the first signal
 */
const struct prof_engine *prof_reference_engine(const char **reason);

/* An address in libunwind's code, once it is loaded. */
const void *prof_reference_code(void);

#endif
