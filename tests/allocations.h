/*
 * Running out of memory: one allocation fails, of those that a test's own
 * objects make (and not those of the libraries it links with). For programs
 * that wf_fail_allocations() in CMake was called for, where the linker sends
 * malloc() and its kin here.
 */
#ifndef TESTS_ALLOCATIONS_H
#define TESTS_ALLOCATIONS_H

#include <stdbool.h>

/* From now on the `nth` allocation, counted from 1, fails, and no other. */
void allocations_fail(unsigned long nth);

/* No more of them fail; whether one did, in whichever thread. */
bool allocations_restore(void);

#endif
