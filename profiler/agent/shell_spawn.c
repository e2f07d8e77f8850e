/*
 * Interposed: libc's own ways to start a program, which go past the exec
 * functions. What a child inherits must be what the program believes in: its
 * signal mask, and the signals it ignores. The events need no disarming, for
 * such a child has none.
 */
#include "profiler/agent/shell.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>

#include "profiler/agent/core.h"
#include "profiler/agent/shell_obstacle.h"

static void begin_spawn(void)
{
    shell_mask_reveal();
    prof_signals_reveal(shell_signals_of_guest());
}

static void end_spawn(void)
{
    int saved_errno = errno;
    prof_signals_hide(shell_signals_of_guest());
    shell_mask_hide();
    errno = saved_errno;
}

INTERPOSE int posix_spawn(
    pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
    const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    struct shell_obstacle obstacle;
    pid_t own_pid = 0;
    pid_t *made = pid != NULL ? pid : &own_pid;
    shell_obstacle_find(&obstacle, path, false, envp);
    begin_spawn();
    int result =
        shell_real()->posix_spawn(made, path, actions, attributes, argv, envp);
    end_spawn();
    if (result == 0)
        (void)shell_obstacle_tell(&obstacle, *made);
    return result;
}

INTERPOSE int posix_spawnp(
    pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
    const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    struct shell_obstacle obstacle;
    pid_t own_pid = 0;
    pid_t *made = pid != NULL ? pid : &own_pid;
    shell_obstacle_find(&obstacle, file, true, envp);
    begin_spawn();
    int result =
        shell_real()->posix_spawnp(made, file, actions, attributes, argv, envp);
    end_spawn();
    if (result == 0)
        (void)shell_obstacle_tell(&obstacle, *made);
    return result;
}

INTERPOSE FILE *popen(const char *command, const char *type)
{
    begin_spawn();
    FILE *stream = shell_real()->popen(command, type);
    end_spawn();
    return stream;
}

/*
 * libc's waits for the child as well, and this thread takes no samples
 * meanwhile; it uses no CPU time then.
 */
INTERPOSE int system(const char *command)
{
    begin_spawn();
    int status = shell_real()->system(command);
    end_spawn();
    return status;
}

/* Without the handlers of pthread_atfork(3); ours is safe in a handler. */
INTERPOSE pid_t _Fork(void)
{
    pid_t child = shell_real()->_Fork();
    if (child == 0)
        shell_restart_in_child();
    return child;
}
