/* Which frames are the program's own. */
#include "exporters/sentry/in_app.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "exporters/text.h"

enum { PATTERN_BYTES = 512 };

static bool fits(const char *pattern, const char *path, const char *function)
{
    if (strchr(pattern, '/') != NULL)
        return fnmatch(pattern, path, 0) == 0;
    return (path[0] != '\0' &&
            fnmatch(pattern, exp_text_base_name(path), 0) == 0) ||
           (function[0] != '\0' && fnmatch(pattern, function, 0) == 0);
}

bool exp_in_app(
    const char *patterns, const char *path, const char *function, bool is_own)
{
    for (const char *at = patterns != NULL ? patterns : ""; *at != '\0';) {
        char pattern[PATTERN_BYTES];
        size_t length = strcspn(at, ",");
        bool is_exclusion = *at == '!';
        (void)snprintf(
            pattern, sizeof pattern, "%.*s", (int)length - is_exclusion,
            at + is_exclusion);
        if (pattern[0] != '\0' && fits(pattern, path, function))
            is_own = !is_exclusion;
        at += length + (at[length] == ',');
    }
    return is_own;
}
