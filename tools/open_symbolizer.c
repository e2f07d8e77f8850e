/* Where the command keeps what it read. */
#include "tools/open_symbolizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/tool.h"

static bool join(char *path, size_t bytes, const char *folder, const char *name)
{
    int length = snprintf(path, bytes, "%s/%s", folder, name);
    return length > 0 && (size_t)length < bytes;
}

static bool is_own_folder(const char *path)
{
    struct stat identity;
    return path[0] == '/' && stat(path, &identity) == 0 &&
           S_ISDIR(identity.st_mode) && identity.st_uid == geteuid();
}

/* $XDG_CACHE_HOME or ~/.cache, by the XDG base directory specification: only
   absolute paths count, and what is missing is made for its owner alone. */
static bool find_base(char *path, size_t bytes)
{
    const char *base = getenv("XDG_CACHE_HOME");
    if (base != NULL && base[0] == '/') {
        (void)mkdir(base, 0700);
        return (size_t)snprintf(path, bytes, "%s", base) < bytes &&
               is_own_folder(path);
    }
    const char *home = getenv("HOME");
    if (home == NULL || !is_own_folder(home) ||
        !join(path, bytes, home, ".cache"))
        return false;
    (void)mkdir(path, 0700);
    return is_own_folder(path);
}

bool find_cache_folder(char *path, size_t bytes)
{
    const char *wanted = getenv("WATCHFIRE_CACHE");
    if (wanted != NULL && wanted[0] != '\0')
        return strcmp(wanted, "off") != 0 &&
               (size_t)snprintf(path, bytes, "%s", wanted) < bytes;
    char base[TOOL_TEXT_BYTES];
    return find_base(base, sizeof base) && join(path, bytes, base, "watchfire");
}

struct sym_symbolizer *open_symbolizer(const struct sym_options *options)
{
    char folder[TOOL_TEXT_BYTES];
    struct sym_options complete = {0};
    if (options != NULL)
        complete = *options;
    const char *asks = getenv("WATCHFIRE_DEBUGINFOD");
    complete.uses_debuginfod = asks != NULL && strcmp(asks, "1") == 0;
    if (find_cache_folder(folder, sizeof folder))
        complete.cache_folder = folder;
    return sym_symbolizer_create(&complete);
}
