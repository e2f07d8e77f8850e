/* What host_between_library.c has seen. */
#ifndef TESTS_PROGRAMS_HOST_BETWEEN_H
#define TESTS_PROGRAMS_HOST_BETWEEN_H

/* How often it has started a handler of the program's. */
unsigned long host_between_started(void);

#endif
