/*
 * Programs that cannot be given the agent: the collector is told before one
 * is started, since nobody in it will say HELLO.
 */
#ifndef PROFILER_AGENT_SHELL_OBSTACLE_H
#define PROFILER_AGENT_SHELL_OBSTACLE_H

#include <stdbool.h>

#include "profiler/base/obstacle.h"

/* One that is about to be started. */
struct shell_obstacle {
    enum obstacle kind;
    char path[96]; /* its end, where it is longer */
};

/*
 * What is in the way of sampling `file`, run with the environment `envp`.
 *
 *   is_searched  as execvp(3) does
 *   context      also in a vfork child, in its parent's memory
 */
void shell_obstacle_find(
    struct shell_obstacle *obstacle, const char *file, bool is_searched,
    char *const envp[]);

/* Whether the program would not even start with the agent preloaded. */
bool shell_obstacle_is_deadly(const struct shell_obstacle *obstacle);

/*
 * Tell the collector that the process `pid` of the caller's making, or 0 for
 * the caller itself, becomes that program. False when there is none, or nobody
 * to be told.
 */
bool shell_obstacle_tell(const struct shell_obstacle *obstacle, int pid);

#endif
