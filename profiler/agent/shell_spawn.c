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

#include "profiler/agent/shell_obstacle.h"
#include "profiler/agent/shell_room.h"
#include "profiler/agent/shell_signals.h"
#include "profiler/agent/signals.h"

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

typedef int spawn_function(
    pid_t *, const char *, const posix_spawn_file_actions_t *,
    const posix_spawnattr_t *, char *const[], char *const[]);

static int spawn(
    bool is_searched, pid_t *pid, const char *file,
    const posix_spawn_file_actions_t *actions,
    const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    spawn_function *real =
        is_searched ? shell_real()->posix_spawnp : shell_real()->posix_spawn;
    struct shell_obstacle obstacle;
    pid_t own_pid = 0;
    pid_t *made = pid != NULL ? pid : &own_pid;
    shell_obstacle_find(&obstacle, file, is_searched, envp);
    if (shell_obstacle_is_deadly(&obstacle) && shell_room_has_ours(envp))
        envp = shell_room_make(__builtin_alloca(shell_room_bytes(envp)), envp);
    begin_spawn();
    int result = real(made, file, actions, attributes, argv, envp);
    if (result == E2BIG && shell_room_has_ours(envp)) {
        char **array = __builtin_alloca(shell_room_bytes(envp));
        char *const *roomy = shell_room_make(array, envp);
        result = real(made, file, actions, attributes, argv, roomy);
        shell_room_obstacle(&obstacle, file);
    }
    end_spawn();
    if (result == 0)
        (void)shell_obstacle_tell(&obstacle, *made);
    return result;
}

INTERPOSE int posix_spawn(
    pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
    const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    return spawn(false, pid, path, actions, attributes, argv, envp);
}

INTERPOSE int posix_spawnp(
    pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
    const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    return spawn(true, pid, file, actions, attributes, argv, envp);
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
