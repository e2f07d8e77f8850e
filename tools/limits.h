/*
 * The limits of resources (setrlimit(2)) under which a command works: it
 * inherits those that were meant for a program.
 */
#ifndef TOOLS_LIMITS_H
#define TOOLS_LIMITS_H

#include <signal.h>
#include <sys/resource.h>

#include "profiler/base/status.h"

enum { LIMITS_LIFTED = 4 };

/* As they were found. */
struct limits {
    struct rlimit rows[LIMITS_LIFTED];
    struct sigaction file_size; /* of SIGXFSZ */
};

/*
 * Lift the soft limits of descriptors (every process of a tree costs a few,
 * every thread one), size of files, memory and CPU time as far as they go. A
 * file that grows too large is an error, not the end.
 */
void limits_lift(struct limits *before);

/*
 * Whether there are descriptors enough to watch one process and write what was
 * seen.
 */
MUST_CHECK enum status limits_check(struct diag *diag);

/* In a child, for a program that is to find them as we did. */
void limits_restore(const struct limits *before);

#endif
