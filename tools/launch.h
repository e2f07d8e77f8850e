/*
 * Starting the program to be sampled: what the kernel and the loader will make
 * of it, and how it gets the agent.
 */
#ifndef TOOLS_LAUNCH_H
#define TOOLS_LAUNCH_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "profiler/base/status.h"
#include "tools/limits.h"

enum { EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };

/*
 * Find `command` as execvp(3) would and tell whether it can be sampled: no
 * setuid and no 32-bit program, and by an agent no static one, for LD_PRELOAD
 * has no effect on it.
 *
 *   is_outside   it is to be sampled without an agent
 *   exit_status  out, on failure: what `record` is to exit with
 *   errors       the sentence names the reason
 */
MUST_CHECK enum status launch_check(
    const char *command, bool is_outside, int *exit_status, struct diag *diag);

/* What the program is to find as it would without us. */
struct launch_inherited {
    sigset_t mask;
    struct sigaction child, pipe; /* of SIGCHLD and SIGPIPE */
    struct limits limits;
};

/* What is to be done about a child that waits for it before its exec. */
struct launch_gate {
    enum status (*pass)(void *owner, pid_t pid, struct diag *diag);
    void *owner;
};

/*
 * Start `argv`. Run through sudo, the program runs as the calling user.
 *
 *   session      WATCHFIRE_SESSION for the agent, which is preloaded then; NULL
 *   gate         before its exec; NULL: nothing. When that fails nothing is run
 *   inherited    what it starts with
 *   exit_status  out, on failure, as above
 */
MUST_CHECK enum status launch_start(
    char *const argv[], const char *session, const struct launch_gate *gate,
    const struct launch_inherited *inherited, pid_t *pid, int *exit_status,
    struct diag *diag);

#endif
