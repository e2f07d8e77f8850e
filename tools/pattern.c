/* Names of files with a pid, a program and a time in them. */
#include "tools/pattern.h"

#include <stdio.h>
#include <time.h>

void pattern_expand(
    const char *pattern, size_t length, const struct prof_profile *profile,
    uint32_t process, char *path, size_t bytes)
{
    const struct prof_process *row = prof_profile_process(profile, process);
    size_t used = 0;
    path[0] = '\0';
    for (size_t i = 0; i < length && used + 1 < bytes; i++) {
        size_t room = bytes - used;
        int more = 1;
        char letter = i + 1 < length && pattern[i] == '%' ? pattern[i + 1] : 0;
        if (letter == 'p')
            more = snprintf(path + used, room, "%u", row->pid);
        else if (letter == 'e')
            more = snprintf(
                path + used, room, "%s", prof_profile_text(profile, row->name));
        else if (letter == 't')
            more = snprintf(path + used, room, "%lld", (long long)time(NULL));
        else
            path[used] = pattern[i];
        i += letter == 'p' || letter == 'e' || letter == 't' || (letter == '%');
        used += more > 0 ? (size_t)more : 0;
        path[used < bytes ? used : bytes - 1] = '\0';
    }
}
