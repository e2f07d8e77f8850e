/* Programs that cannot be given the agent. */
#include "profiler/agent/shell_obstacle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/agent/core.h"

/* On the stack, which may be a small one. */
enum { PATH_BYTES = 1024 };

static const char *find_variable(char *const envp[], const char *name)
{
    size_t length = strlen(name);
    for (; envp != NULL && *envp != NULL; envp++) {
        if (strncmp(*envp, name, length) == 0 && (*envp)[length] == '=')
            return *envp + length + 1;
    }
    return NULL;
}

/* Whether the program is left alone on purpose. */
static bool is_disabled(char *const envp[])
{
    return find_variable(envp, "WATCHFIRE_DISABLE") != NULL;
}

static bool is_preloaded(char *const envp[])
{
    const char *list = find_variable(envp, "LD_PRELOAD");
    return list != NULL && strstr(list, "libwatchfire.so") != NULL;
}

void shell_obstacle_find(
    struct shell_obstacle *obstacle, const char *file, bool is_searched,
    char *const envp[])
{
    char path[PATH_BYTES], obstructed[PATH_BYTES];
    int saved_errno = errno;
    obstacle->kind = OBSTACLE_NONE;
    if (file != NULL && prof_core_is_asked() && !is_disabled(envp)) {
        const char *folders = is_searched ? getenv("PATH") : ".";
        if (strchr(file, '/') != NULL || is_searched) {
            if (obstacle_find_program(file, folders, path, sizeof path) == 0)
                obstacle->kind =
                    obstacle_of_program(path, obstructed, sizeof obstructed);
        }
        if (obstacle->kind == OBSTACLE_NONE && !is_preloaded(envp)) {
            obstacle->kind = OBSTACLE_STRIPPED;
            (void)snprintf(obstructed, sizeof obstructed, "%s", file);
        }
    }
    if (obstacle->kind != OBSTACLE_NONE) {
        size_t length = strlen(obstructed), room = sizeof obstacle->path - 1;
        (void)snprintf(
            obstacle->path, sizeof obstacle->path, "%s",
            obstructed + (length > room ? length - room : 0));
    }
    errno = saved_errno;
}

bool shell_obstacle_is_deadly(const struct shell_obstacle *obstacle)
{
    return obstacle->kind == OBSTACLE_MUSL;
}

bool shell_obstacle_tell(const struct shell_obstacle *obstacle, int pid)
{
    if (obstacle->kind == OBSTACLE_NONE)
        return false;
    char text[128];
    int saved_errno = errno;
    (void)snprintf(
        text, sizeof text, "%d %d %s", (int)obstacle->kind, pid,
        obstacle->path);
    bool is_told = prof_core_tell_unseen(text);
    errno = saved_errno;
    return is_told;
}
