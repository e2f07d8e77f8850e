/* Why a program could not be given the agent. */
#include "profiler/base/obstacle.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

enum {
    INTERPRETERS_MAX = 4,
    SHEBANG_BYTES = 256, /* the kernel reads no more: execve(2) */
    HEAD_BYTES = SHEBANG_BYTES,
    LOADER_BYTES = 128,
};

const char *obstacle_label(enum obstacle obstacle)
{
    static const char *const labels[OBSTACLE_COUNT] = {
#define OBSTACLE_LABEL(name, label, reason) [OBSTACLE_##name] = label,
        OBSTACLE_LIST(OBSTACLE_LABEL)
#undef OBSTACLE_LABEL
    };
    return labels[obstacle];
}

const char *obstacle_reason(enum obstacle obstacle)
{
    static const char *const reasons[OBSTACLE_COUNT] = {
#define OBSTACLE_REASON(name, label, reason) [OBSTACLE_##name] = reason,
        OBSTACLE_LIST(OBSTACLE_REASON)
#undef OBSTACLE_REASON
    };
    return reasons[obstacle];
}

/* ---- finding ---- */

static bool is_executable(const char *path)
{
    struct stat found;
    return stat(path, &found) == 0 && S_ISREG(found.st_mode) &&
           access(path, X_OK) == 0;
}

int obstacle_find_program(
    const char *command, const char *folders, char *path, size_t bytes)
{
    if (strchr(command, '/') != NULL) {
        (void)snprintf(path, bytes, "%s", command);
        if (is_executable(path))
            return 0;
        return access(path, F_OK) == 0 ? EACCES : errno;
    }
    int error = ENOENT;
    for (const char *at = folders ? folders : "/bin:/usr/bin"; *command;) {
        size_t length = strcspn(at, ":");
        (void)snprintf(
            path, bytes, "%.*s/%s", length ? (int)length : 1, length ? at : ".",
            command);
        if (is_executable(path))
            return 0;
        if (access(path, F_OK) == 0)
            error = EACCES;
        if (at[length] == '\0')
            break;
        at += length + 1;
    }
    return error;
}

/* ---- judging ---- */

/*
 * Secure-execution mode: preloads with a slash are ignored. Its uid is then
 * another than ours, or it gains capabilities that we do not have.
 */
static enum obstacle find_privilege(const char *path, const struct stat *file)
{
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
        return OBSTACLE_NONE;
    uid_t uid = file->st_mode & S_ISUID ? file->st_uid : geteuid();
    gid_t gid = file->st_mode & S_ISGID ? file->st_gid : getegid();
    if (uid != getuid())
        return OBSTACLE_SETUID;
    if (gid != getgid())
        return OBSTACLE_SETGID;
    if (getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0)
        return OBSTACLE_CAPABLE;
    return OBSTACLE_NONE;
}

/* The raw calls: open(2) and the others of libc can be cancelled. */
static long read_at(int fd, void *bytes, size_t count, off_t at)
{
    return syscall(SYS_pread64, fd, bytes, count, at);
}

/* Of the loader at this place of the file (Elf64_Phdr, PT_INTERP). */
static enum obstacle judge_loader(int fd, const Elf64_Phdr *segment)
{
    char path[LOADER_BYTES + 1] = "";
    size_t bytes = segment->p_filesz < LOADER_BYTES ? (size_t)segment->p_filesz
                                                    : LOADER_BYTES;
    if (read_at(fd, path, bytes, (off_t)segment->p_offset) != (long)bytes)
        return OBSTACLE_NONE;
    return strstr(path, "/ld-musl-") != NULL ? OBSTACLE_MUSL : OBSTACLE_NONE;
}

static enum obstacle find_loader(int fd, const Elf64_Ehdr *header)
{
    for (unsigned i = 0; i < header->e_phnum; i++) {
        Elf64_Phdr segment;
        if (read_at(
                fd, &segment, sizeof segment,
                (off_t)(header->e_phoff + i * sizeof segment)) !=
            (long)sizeof segment)
            break;
        if (segment.p_type == PT_INTERP)
            return judge_loader(fd, &segment);
    }
    return OBSTACLE_STATIC;
}

/* The interpreter that "#! PATH ..." names, in place; NULL: it is no script. */
static char *script_interpreter(char *head, long bytes)
{
    if (bytes < 2 || head[0] != '#' || head[1] != '!')
        return NULL;
    head[bytes] = '\0';
    char *start = head + 2 + strspn(head + 2, " \t");
    start[strcspn(start, " \t\r\n")] = '\0';
    return start;
}

/* Of an open file. A script leaves its interpreter in `next`, else it is "". */
static enum obstacle judge_content(
    int fd, const char *path, const struct stat *file, char *next, size_t bytes)
{
    char head[HEAD_BYTES + 1];
    Elf64_Ehdr header;
    long got = read_at(fd, head, HEAD_BYTES, 0);
    const char *interpreter = script_interpreter(head, got);
    if (interpreter != NULL) {
        (void)snprintf(next, bytes, "%s", interpreter);
        return OBSTACLE_NONE;
    }
    if (got < (long)sizeof header || memcmp(head, ELFMAG, SELFMAG) != 0)
        return OBSTACLE_NONE;
    memcpy(&header, head, sizeof header);
    if (header.e_ident[EI_CLASS] != ELFCLASS64)
        return OBSTACLE_NARROW;
    enum obstacle loader = find_loader(fd, &header);
    return loader != OBSTACLE_NONE ? loader : find_privilege(path, file);
}

static enum obstacle judge(const char *path, char *next, size_t bytes)
{
    struct stat file;
    next[0] = '\0';
    if (stat(path, &file) != 0 || !S_ISREG(file.st_mode))
        return OBSTACLE_NONE;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) /* executable, but not readable */
        return find_privilege(path, &file);
    enum obstacle obstacle = judge_content(fd, path, &file, next, bytes);
    (void)syscall(SYS_close, fd);
    return obstacle;
}

enum obstacle obstacle_of_program(
    const char *path, char *obstructed, size_t bytes)
{
    char next[SHEBANG_BYTES];
    (void)snprintf(obstructed, bytes, "%s", path);
    for (int i = 0; i < INTERPRETERS_MAX; i++) {
        enum obstacle obstacle = judge(obstructed, next, sizeof next);
        if (obstacle != OBSTACLE_NONE || next[0] == '\0')
            return obstacle;
        (void)snprintf(obstructed, bytes, "%s", next);
    }
    return OBSTACLE_NONE;
}
