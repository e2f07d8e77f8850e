/* Outputs of a recording that goes on. */
#include "tools/interim.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/base/clock.h"

/* In the copy. What fails now is tried again, and said at the end. */
_Noreturn static void write_and_end(struct session *session, pid_t collector)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == collector)
        session_write_interim(session);
    _exit(0);
}

static void reap(struct interim *interim, int options)
{
    if (interim->writer != 0 && waitpid(interim->writer, NULL, options) != 0)
        interim->writer = 0;
}

void interim_tend(struct interim *interim, struct session *session)
{
    if (interim->every_ns == 0)
        return;
    uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
    if (interim->next_ns == 0)
        interim->next_ns = now_ns + interim->every_ns;
    reap(interim, WNOHANG);
    if (interim->writer != 0 || now_ns < interim->next_ns)
        return;
    interim->next_ns = now_ns + interim->every_ns;
    pid_t collector = getpid(), writer = fork();
    if (writer == 0)
        write_and_end(session, collector);
    if (writer > 0)
        interim->writer = writer;
}

void interim_end(struct interim *interim)
{
    reap(interim, 0);
}
