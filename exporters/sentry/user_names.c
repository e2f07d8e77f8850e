/* Names of users in paths. */
#include "exporters/sentry/user_names.h"

#include <string.h>

static const char *const homes[] = {
    "/home/", "/var/home/", "/export/home/", "/Users/"};

/* What a path goes on with: it does not begin behind that. */
static int is_of_path(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || (byte & 0x80) != 0 ||
           (byte != '\0' && strchr("/._-~", byte) != NULL);
}

/* Where the name begins, for a path that does at `at`; NULL: it has none. */
static const char *find_name(const char *at)
{
    for (size_t i = 0; i < sizeof homes / sizeof *homes; i++) {
        size_t bytes = strlen(homes[i]);
        if (strncmp(at, homes[i], bytes) == 0)
            return at + bytes;
    }
    return NULL;
}

size_t exp_user_names_hide(char *text)
{
    /* Up to the next folder, or to the end of a string, a word, a list. */
    static const char ends[] = "/\"\\' \t\n:,;()<>[]{}";
    char *to = text, before = '\0';
    for (const char *at = text; *at != '\0';) {
        const char *name =
            *at == '/' && !is_of_path(before) ? find_name(at) : NULL;
        size_t bytes = name != NULL ? strcspn(name, ends) : 0;
        if (bytes == 0) {
            *to++ = before = *at++;
            continue;
        }
        memmove(to, at, (size_t)(name - at));
        to += name - at;
        *to++ = before = '~';
        at = name + bytes;
    }
    *to = '\0';
    return (size_t)(to - text);
}
