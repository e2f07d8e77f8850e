/*
 * Why a program could not be given the agent: what the kernel and the loader
 * (ld.so(8)) make of its file and its environment. For the command before it
 * starts a program, and for the agent before its process becomes one.
 */
#ifndef PROFILER_BASE_OBSTACLE_H
#define PROFILER_BASE_OBSTACLE_H

#include <stddef.h>

#define OBSTACLE_LIST(X)                                                       \
    X(NONE, "", "")                                                            \
    X(STATIC, "static",                                                        \
      "it is statically linked, so no loader reads LD_PRELOAD")                \
    X(MUSL, "musl",                                                            \
      "its libc is musl, whose loader would not start it with an agent")       \
    X(NARROW, "32-bit", "it is a 32-bit program and the agent is 64-bit")      \
    X(SETUID, "setuid", "it is setuid, so the loader ignores LD_PRELOAD")      \
    X(SETGID, "setgid", "it is setgid, so the loader ignores LD_PRELOAD")      \
    X(CAPABLE, "capabilities",                                                 \
      "it has file capabilities, so the loader ignores LD_PRELOAD")            \
    X(STRIPPED, "no LD_PRELOAD",                                               \
      "it was started without LD_PRELOAD in its environment")                  \
    X(CROWDED, "no room",                                                      \
      "its arguments and environment left no room for LD_PRELOAD")             \
    X(CHILD, "child",                                                          \
      "a process attached to started it, and no agent was in it in time")

enum obstacle {
#define OBSTACLE_ENUM(name, label, reason) OBSTACLE_##name,
    OBSTACLE_LIST(OBSTACLE_ENUM)
#undef OBSTACLE_ENUM
        OBSTACLE_COUNT
};

/* A word or two, and a clause: "it is ...". */
const char *obstacle_label(enum obstacle obstacle);
const char *obstacle_reason(enum obstacle obstacle);

/*
 * As execvp(3) searches in `folders` (PATH, or NULL): a name with a slash is a
 * path; else the first executable.
 *
 *   path     out: what was found
 *   returns  0, or an errno: EACCES when there is only one that cannot be run
 */
int obstacle_find_program(
    const char *command, const char *folders, char *path, size_t bytes);

/*
 * What is in the way of preloading into the program at `path`; scripts are
 * their interpreters. What cannot be read is taken to be no obstacle.
 *
 *   obstructed  out: the program that it is in the way of
 *   context     no allocation, no cancellation point; leaves errno undefined
 */
enum obstacle obstacle_of_program(
    const char *path, char *obstructed, size_t bytes);

#endif
