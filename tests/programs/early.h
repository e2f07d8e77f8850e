/* What early.c and the library that is preloaded have in common. */
#ifndef TESTS_PROGRAMS_EARLY_H
#define TESTS_PROGRAMS_EARLY_H

extern void *early_opened; /* the library's handle */
extern int early_is_first; /* nobody has taken SIGTRAP yet */

#endif
