/* Adding files, as their first bytes say. */
#include "symbolizer/jit_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbolizer/jit_dump.h"
#include "symbolizer/jit_perf_map.h"

static enum status add_input(
    struct sym_jit_map *map, const struct sym_jit_input *input)
{
    uint32_t magic = 0;
    (void)sym_jit_read(input, 0, &magic, sizeof magic);
    bool is_ok = magic == SYM_JITDUMP_MAGIC ? sym_jit_add_dump(map, input)
                                            : sym_jit_add_perf_map(map, input);
    return is_ok ? STATUS_OK : STATUS_NO_MEMORY;
}

static enum status add_open_file(
    struct sym_jit_map *map, int fd, const char *path, uint32_t user,
    struct diag *diag)
{
    struct stat identity;
    if (fstat(fd, &identity) != 0)
        return fail(diag, STATUS_SYSTEM, "stat '%s'", path);
    if (!S_ISREG(identity.st_mode))
        return fail(diag, STATUS_UNSUPPORTED, "'%s' is no regular file", path);
    if (identity.st_uid != user && identity.st_uid != 0 &&
        identity.st_uid != geteuid())
        return fail(
            diag, STATUS_NOT_PERMITTED,
            "'%s' belongs to user %u, who has nothing to say of it", path,
            identity.st_uid);
    const struct sym_jit_input input = {
        .fd = fd, .count = (uint64_t)identity.st_size};
    enum status status = add_input(map, &input);
    return status == STATUS_OK ? status
                               : fail(diag, status, "no memory for '%s'", path);
}

enum status sym_jit_map_add_file(
    struct sym_jit_map *map, const char *path, uint32_t user, struct diag *diag)
{
    /* In /tmp anyone may put anything under this name: no link is followed,
       no FIFO waited for. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return fail(diag, STATUS_SYSTEM, "open '%s'", path);
    enum status status = add_open_file(map, fd, path, user, diag);
    (void)close(fd);
    return status;
}

enum status sym_jit_map_add_bytes(
    struct sym_jit_map *map, const void *bytes, size_t count)
{
    const struct sym_jit_input input = {.bytes = bytes, .count = count};
    return add_input(map, &input);
}
