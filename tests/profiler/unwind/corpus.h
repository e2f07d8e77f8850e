/* The parts of the program that check_steps follows. */
#ifndef TESTS_PROFILER_UNWIND_CORPUS_H
#define TESTS_PROFILER_UNWIND_CORPUS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Something to call. */
void corpus_leaf(uint64_t value);

/* corpus_assembly.S: every kind of rule, by hand, and code without any. */
void corpus_assembly(void);

/* corpus_throw.cc: exceptions through several frames. */
void corpus_throw(void);

#ifdef __cplusplus
}
#endif

/* In a library of its own, which calls `callback` all the time. */
typedef uint64_t corpus_callback(uint64_t value);
uint64_t corpus_library(unsigned depth, corpus_callback *callback);

#endif
