/* Who can be reached. */
#include "tests/harness.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/attach/reach.h"

static pid_t start_child(void)
{
    pid_t child = fork();
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            (void)pause();
    }
    return child;
}

TEST(reach_takes_a_process_of_our_own)
{
    pid_t child = start_child();
    CHECK_OK(prof_reach_check((uint32_t)child, NULL));
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
}

TEST(reach_says_that_a_process_is_gone)
{
    struct diag diag = {.status = STATUS_OK};
    pid_t child = start_child();
    siginfo_t info;
    (void)kill(child, SIGKILL);
    CHECK_EQ(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    CHECK_EQ(prof_reach_check((uint32_t)child, &diag), STATUS_GONE);
    CHECK(strstr(diag.text, "has ended") != NULL);
    (void)waitpid(child, NULL, 0);
    CHECK_EQ(prof_reach_check((uint32_t)child, &diag), STATUS_GONE);
    CHECK(strstr(diag.text, "no process") != NULL);
}

TEST(reach_refuses_ourselves_and_the_kernel)
{
    CHECK_EQ(prof_reach_check((uint32_t)getpid(), NULL), STATUS_USAGE);
    if (access("/proc/2/status", F_OK) == 0) /* not in a pid name space */
        CHECK_EQ(prof_reach_check(2, NULL), STATUS_UNSUPPORTED);
}
