/* The parts of shares.c that live in libraries: one linked, one loaded. */
#ifndef TESTS_PROGRAMS_SHARES_LIBRARY_H
#define TESTS_PROGRAMS_SHARES_LIBRARY_H

#include <stdint.h>

/* Burn until the thread has used `deadline_ns` of CPU time in all. */
uint64_t shares_linked(uint64_t deadline_ns);
uint64_t shares_loaded(uint64_t deadline_ns);

#endif
