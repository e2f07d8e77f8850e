/*
 * Interposed: how a process ends and how it becomes another program. A vfork
 * child runs these in its parent's memory; the core tells by the pid.
 */
#include "profiler/agent/shell.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/agent/core.h"
#include "profiler/agent/shell_filter.h"
#include "profiler/agent/shell_obstacle.h"
#include "profiler/agent/shell_room.h"
#include "profiler/agent/shell_signals.h"
#include "profiler/agent/sig_crash.h"
#include "profiler/agent/signals.h"
#include "profiler/agent/sys.h"

extern char **environ;

/* ---- the end ---- */

INTERPOSE __attribute__((noreturn)) void _exit(int status)
{
    prof_crash_note_exit();
    shell_leave();
    for (;;)
        (void)sys_call1(__NR_exit_group, (long)status);
}

INTERPOSE __attribute__((noreturn)) void _Exit(int status)
{
    _exit(status);
}

/* ---- exec: disarm, exec, and arm again when it failed ---- */

bool shell_begin_exec(
    const char *file, bool is_searched, char *const envp[], bool *is_bare)
{
    struct shell_obstacle obstacle;
    prof_crash_note_exit();
    shell_obstacle_find(&obstacle, file, is_searched, envp);
    bool is_told = shell_obstacle_tell(&obstacle, 0);
    *is_bare = shell_obstacle_is_deadly(&obstacle) && shell_room_has_ours(envp);
    bool is_disarmed =
        prof_core_before_exec((shell_mask_beliefs() & SHELL_BELIEFS) != 0) ||
        is_told;
    shell_mask_reveal();
    prof_signals_reveal(shell_signals_of_guest());
    return is_disarmed;
}

void shell_undo_exec(bool is_disarmed)
{
    int saved_errno = errno;
    prof_signals_hide(shell_signals_of_guest());
    shell_mask_hide();
    if (is_disarmed)
        prof_core_after_failed_exec();
    errno = saved_errno;
}

/*
 * A new program under a filter that would kill it for what our constructor
 * calls is told to be left alone, and so is one that would wait for a collector
 * that is gone; one that would not start with the agent has nothing of ours. On
 * the stack, as it may be after vfork.
 */
#define CHILD_ENVIRONMENT(envp, is_bare)                                       \
    ((is_bare)                                                                 \
         ? shell_room_make(__builtin_alloca(shell_room_bytes(envp)), envp)     \
     : is_child_left_alone() && (envp) != NULL                                 \
         ? quiet_environment(                                                  \
               __builtin_alloca(shell_room_bytes(envp) + sizeof(char *)),      \
               envp)                                                           \
         : (envp))

static bool is_child_left_alone(void)
{
    return shell_filter_is_deadly() || prof_core_loses_child();
}

static char *const *quiet_environment(char **quiet, char *const envp[])
{
    static char disable[] = "WATCHFIRE_DISABLE=inherited";
    char **at = quiet;
    while (*envp != NULL)
        *at++ = *envp++;
    *at++ = disable;
    *at = NULL;
    return quiet;
}

INTERPOSE int execve(const char *path, char *const argv[], char *const envp[])
{
    bool is_bare, is_told = shell_begin_exec(path, false, envp, &is_bare);
    int result =
        shell_real()->execve(path, argv, CHILD_ENVIRONMENT(envp, is_bare));
    EXEC_WITH_ROOM(
        result, is_told, path, envp, shell_real()->execve(path, argv, roomy));
    shell_undo_exec(is_told);
    return result;
}

INTERPOSE int execvpe(const char *file, char *const argv[], char *const envp[])
{
    bool is_bare, is_told = shell_begin_exec(file, true, envp, &is_bare);
    int result =
        shell_real()->execvpe(file, argv, CHILD_ENVIRONMENT(envp, is_bare));
    EXEC_WITH_ROOM(
        result, is_told, file, envp, shell_real()->execvpe(file, argv, roomy));
    shell_undo_exec(is_told);
    return result;
}

INTERPOSE int fexecve(int fd, char *const argv[], char *const envp[])
{
    char path[32];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    bool is_bare, is_told = shell_begin_exec(path, false, envp, &is_bare);
    int result =
        shell_real()->fexecve(fd, argv, CHILD_ENVIRONMENT(envp, is_bare));
    EXEC_WITH_ROOM(
        result, is_told, argv[0], envp, shell_real()->fexecve(fd, argv, roomy));
    shell_undo_exec(is_told);
    return result;
}

INTERPOSE int execv(const char *path, char *const argv[])
{
    return execve(path, argv, environ);
}

INTERPOSE int execvp(const char *file, char *const argv[])
{
    return execvpe(file, argv, environ);
}

INTERPOSE int execveat(
    int folder, const char *path, char *const argv[], char *const envp[],
    int flags)
{
    bool is_bare, is_told = shell_begin_exec(
                      folder == AT_FDCWD || *path == '/' ? path : NULL, false,
                      envp, &is_bare);
    int result = shell_real()->execveat(
        folder, path, argv, CHILD_ENVIRONMENT(envp, is_bare), flags);
    EXEC_WITH_ROOM(
        result, is_told, argv[0], envp,
        shell_real()->execveat(folder, path, argv, roomy, flags));
    shell_undo_exec(is_told);
    return result;
}

/*
 * The list forms build their array on the stack, as libc does, so that they
 * work after vfork. `count` is the number of arguments before the NULL.
 */
static size_t count_arguments(va_list list)
{
    size_t count = 1;
    while (va_arg(list, char *) != NULL)
        count++;
    return count;
}

static void fill_arguments(
    char **argv, size_t count, const char *first, va_list list)
{
    argv[0] = (char *)(uintptr_t)first;
    for (size_t i = 1; i <= count; i++)
        argv[i] = va_arg(list, char *);
}

#define COLLECT_ARGUMENTS(argv, first, list)                                   \
    va_list counting;                                                          \
    va_start(list, first);                                                     \
    va_copy(counting, list);                                                   \
    size_t count = count_arguments(counting);                                  \
    va_end(counting);                                                          \
    char **argv = __builtin_alloca((count + 1) * sizeof *argv);                \
    fill_arguments(argv, count, first, list)

INTERPOSE int execl(const char *path, const char *first, ...)
{
    va_list list;
    COLLECT_ARGUMENTS(argv, first, list);
    va_end(list);
    return execv(path, argv);
}

INTERPOSE int execlp(const char *file, const char *first, ...)
{
    va_list list;
    COLLECT_ARGUMENTS(argv, first, list);
    va_end(list);
    return execvp(file, argv);
}

INTERPOSE int execle(const char *path, const char *first, ...)
{
    va_list list;
    COLLECT_ARGUMENTS(argv, first, list);
    char *const *envp = va_arg(list, char *const *);
    va_end(list);
    return execve(path, argv, (char *const *)envp);
}
