/* Room for arguments and environment; see the header. */
#include "profiler/agent/shell_room.h"

#include <stdio.h>
#include <string.h>

/* LD_PRELOAD stays where it holds another library as well. */
static bool is_ours(const char *entry)
{
    static const char library[] = "/libwatchfire.so";
    size_t length = strlen(entry), end = sizeof library - 1;
    return strncmp(entry, "WATCHFIRE_SESSION=", 18) == 0 ||
           (strncmp(entry, "LD_PRELOAD=", 11) == 0 && length > end &&
            strcmp(entry + length - end, library) == 0 &&
            strpbrk(entry, " :") == NULL);
}

bool shell_room_has_ours(char *const envp[])
{
    for (; envp != NULL && *envp != NULL; envp++) {
        if (is_ours(*envp))
            return true;
    }
    return false;
}

size_t shell_room_bytes(char *const envp[])
{
    size_t count = 1;
    while (*envp++ != NULL)
        count++;
    return count * sizeof *envp;
}

char *const *shell_room_make(char **roomy, char *const envp[])
{
    char **at = roomy;
    for (; *envp != NULL; envp++) {
        if (!is_ours(*envp))
            *at++ = *envp;
    }
    *at = NULL;
    return roomy;
}

void shell_room_obstacle(struct shell_obstacle *obstacle, const char *file)
{
    obstacle->kind = OBSTACLE_CROWDED;
    (void)snprintf(
        obstacle->path, sizeof obstacle->path, "%s", file != NULL ? file : "");
}

void shell_room_tell(const char *file)
{
    struct shell_obstacle obstacle;
    shell_room_obstacle(&obstacle, file);
    (void)shell_obstacle_tell(&obstacle, 0);
}
