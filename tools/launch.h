/*
 * Starting the program to be sampled: what the kernel and the loader will make
 * of it, and how it gets the agent.
 */
#ifndef TOOLS_LAUNCH_H
#define TOOLS_LAUNCH_H

#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "profiler/base/status.h"

enum { EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };

/*
 * Find `command` as execvp(3) would and tell whether LD_PRELOAD has effect on
 * it: not on static, setuid and 32-bit programs.
 *
 *   exit_status  out, on failure: what `record` is to exit with
 *   errors       the sentence names the reason
 */
MUST_CHECK enum status launch_check(
    const char *command, int *exit_status, struct diag *diag);

/* What the program is to find as it would without us. */
struct launch_inherited {
    sigset_t mask;
    struct sigaction child, pipe; /* of SIGCHLD and SIGPIPE */
    struct rlimit files;          /* RLIMIT_NOFILE */
};

/*
 * Start `argv` with the agent preloaded. Run through sudo, the program runs as
 * the calling user.
 *
 *   session      WATCHFIRE_SESSION for the agent
 *   inherited    what it starts with
 *   exit_status  out, on failure, as above
 */
MUST_CHECK enum status launch_start(
    char *const argv[], const char *session,
    const struct launch_inherited *inherited, pid_t *pid, int *exit_status,
    struct diag *diag);

#endif
