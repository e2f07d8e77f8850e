/* Starting the program to be sampled. */
#include "tools/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/base/obstacle.h"
#include "tools/tool.h"

enum status launch_check(
    const char *command, bool is_outside, int *exit_status, struct diag *diag)
{
    char path[PATH_MAX], obstructed[PATH_MAX];
    int error =
        obstacle_find_program(command, getenv("PATH"), path, sizeof path);
    if (error != 0) {
        *exit_status = error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
        return fail(
            diag, STATUS_NOT_PERMITTED, "cannot run '%s': %s", command,
            error == ENOENT ? "command not found" : strerror(error));
    }
    *exit_status = EXIT_FAILED;
    enum obstacle obstacle =
        obstacle_of_program(path, obstructed, sizeof obstructed);
    bool needs_none = obstacle == OBSTACLE_STATIC || obstacle == OBSTACLE_MUSL;
    if (obstacle == OBSTACLE_NONE || (needs_none && is_outside))
        return STATUS_OK;
    return fail(
        diag, STATUS_UNSUPPORTED, "cannot sample '%s': %s%s; nothing was run",
        obstructed, obstacle_reason(obstacle),
        needs_none ? " (--via perf does without)" : "");
}

/* ---- starting ---- */

/* <folder of the command>/../lib/libwatchfire.so */
static enum status find_agent(char *path, size_t bytes, struct diag *diag)
{
    char own[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    if (length < 0)
        return fail(diag, STATUS_SYSTEM, "read /proc/self/exe");
    own[length] = '\0';
    for (int i = 0; i < 2; i++) {
        char *slash = strrchr(own, '/');
        if (slash != NULL)
            *slash = '\0';
    }
    (void)snprintf(path, bytes, "%.4000s/lib/libwatchfire.so", own);
    if (access(path, R_OK) != 0)
        return fail(diag, STATUS_SYSTEM, "cannot read '%s'", path);
    return STATUS_OK;
}

static enum status set_environment(const char *session, struct diag *diag)
{
    char agent[PATH_MAX + 32], list[2 * PATH_MAX];
    enum status status = find_agent(agent, sizeof agent, diag);
    if (status != STATUS_OK)
        return status;
    if (strpbrk(agent, " :") != NULL)
        return fail(
            diag, STATUS_UNSUPPORTED,
            "cannot preload '%s': LD_PRELOAD takes no path with a space or "
            "colon; install watchfire elsewhere",
            agent);
    const char *others = getenv("LD_PRELOAD");
    (void)snprintf(
        list, sizeof list, "%s%s%s", agent, others && *others ? ":" : "",
        others ? others : "");
    if (setenv("LD_PRELOAD", list, 1) != 0 ||
        setenv("WATCHFIRE_SESSION", session, 1) != 0)
        return fail(diag, STATUS_NO_MEMORY, "out of memory");
    return STATUS_OK;
}

/* sudo watchfire record -- ./app: the program is not to run as root. */
static bool become_calling_user(void)
{
    const char *uid_text = getenv("SUDO_UID"), *gid_text = getenv("SUDO_GID");
    if (geteuid() != 0 || uid_text == NULL || gid_text == NULL)
        return true;
    uid_t uid = (uid_t)strtoul(uid_text, NULL, 10);
    gid_t gid = (gid_t)strtoul(gid_text, NULL, 10);
    const struct passwd *user = getpwuid(uid);
    if (user != NULL && initgroups(user->pw_name, gid) != 0)
        return false;
    if (user == NULL && setgroups(1, &gid) != 0)
        return false;
    return setresgid(gid, gid, gid) == 0 && setresuid(uid, uid, uid) == 0;
}

/*
 * In the child: wait until the parent has written to the gate, and become the
 * program. An errno goes through the pipe when it cannot run.
 */
static _Noreturn void become_program(
    char *const argv[], const struct launch_inherited *inherited,
    const int gate_fds[2], int pipe_fd)
{
    char may_pass;
    (void)close(gate_fds[1]);
    if (read(gate_fds[0], &may_pass, 1) != 1)
        _exit(EXIT_NOT_FOUND);
    limits_restore(&inherited->limits);
    (void)sigaction(SIGCHLD, &inherited->child, NULL);
    (void)sigaction(SIGPIPE, &inherited->pipe, NULL);
    (void)sigprocmask(SIG_SETMASK, &inherited->mask, NULL);
    if (become_calling_user())
        (void)execvp(argv[0], argv);
    int error = errno;
    (void)!write(pipe_fd, &error, sizeof error);
    _exit(EXIT_NOT_FOUND);
}

/* Let the child go on, or not; then see whether it runs. */
static enum status pass_gate(
    const struct launch_gate *gate, pid_t pid, int gate_fd, int pipe_fd,
    int *error, struct diag *diag)
{
    enum status status =
        gate != NULL ? gate->pass(gate->owner, pid, diag) : STATUS_OK;
    if (status == STATUS_OK && write(gate_fd, "", 1) != 1)
        status = fail(diag, STATUS_SYSTEM, "write to a child");
    (void)close(gate_fd);
    if (status == STATUS_OK &&
        read(pipe_fd, error, sizeof *error) != sizeof *error)
        return STATUS_OK;
    (void)waitpid(pid, NULL, 0);
    return status == STATUS_OK ? STATUS_NOT_PERMITTED : status;
}

enum status launch_start(
    char *const argv[], const char *session, const struct launch_gate *gate,
    const struct launch_inherited *inherited, pid_t *pid, int *exit_status,
    struct diag *diag)
{
    int pipe_fds[2], gate_fds[2], error = 0;
    *exit_status = EXIT_FAILED;
    enum status status =
        session != NULL ? set_environment(session, diag) : STATUS_OK;
    if (status != STATUS_OK)
        return status;
    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return fail(diag, STATUS_SYSTEM, "pipe2");
    if (pipe2(gate_fds, O_CLOEXEC) != 0) {
        (void)close(pipe_fds[0]);
        (void)close(pipe_fds[1]);
        return fail(diag, STATUS_SYSTEM, "pipe2");
    }
    *pid = fork();
    if (*pid == 0)
        become_program(argv, inherited, gate_fds, pipe_fds[1]);
    (void)close(pipe_fds[1]);
    (void)close(gate_fds[0]);
    if (*pid < 0) {
        (void)close(gate_fds[1]);
        status = fail(diag, STATUS_SYSTEM, "fork");
    } else {
        status = pass_gate(gate, *pid, gate_fds[1], pipe_fds[0], &error, diag);
    }
    if (error != 0) {
        *exit_status = error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
        status = fail(
            diag, STATUS_NOT_PERMITTED, "cannot run '%s': %s", argv[0],
            strerror(error));
    }
    (void)close(pipe_fds[0]);
    return status;
}
