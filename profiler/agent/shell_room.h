/*
 * An environment without what is ours. Arguments and environment that fill
 * what there is (execve(2), E2BIG) may have fitted but for our variables: then
 * the program runs without them, and the collector is told.
 */
#ifndef PROFILER_AGENT_SHELL_ROOM_H
#define PROFILER_AGENT_SHELL_ROOM_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "profiler/agent/shell_obstacle.h"

/* Whether something in it is ours. */
bool shell_room_has_ours(char *const envp[]);

/* For an array of its entries and the NULL. */
size_t shell_room_bytes(char *const envp[]);

/* Fill `roomy`, of so many bytes, with what is not ours. */
char *const *shell_room_make(char **roomy, char *const envp[]);

/* What is told of `file` then; NULL: it has no name. */
void shell_room_obstacle(struct shell_obstacle *obstacle, const char *file);
void shell_room_tell(const char *file);

/*
 * Make an exec that found no room once more by `call`, with the environment
 * `roomy`. On the stack, as it may be after vfork.
 *
 *   is_told  out: true when the collector knows of it; else as it was
 */
#define EXEC_WITH_ROOM(result, is_told, file, envp, call)                      \
    do {                                                                       \
        if ((result) < 0 && errno == E2BIG && shell_room_has_ours(envp)) {     \
            char **array = __builtin_alloca(shell_room_bytes(envp));           \
            char *const *roomy = shell_room_make(array, envp);                 \
            shell_room_tell(file);                                             \
            (is_told) = true;                                                  \
            (result) = (call);                                                 \
        }                                                                      \
    } while (0)

#endif
