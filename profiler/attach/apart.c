/* A process made for one piece of work; see the header. */
#include "profiler/attach/apart.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/attach/urgency.h"

/* What comes through the pipe, before the result. */
struct verdict {
    enum status status;
    struct diag diag;
};

struct job {
    prof_apart_work *work;
    void *owner, *result;
    size_t bytes;
};

/* Small enough for the pipe to take without a reader. */
static void work_apart(int pipe, const struct job *job)
{
    struct verdict verdict = {.status = STATUS_OK};
    (void)setsid();
    /* While a thread is held, each wait for a processor holds it longer. */
    struct prof_urgency urgency;
    prof_urgency_raise(&urgency, 0);
    verdict.status = job->work(job->owner, job->result, &verdict.diag);
    (void)write(pipe, &verdict, sizeof verdict);
    (void)write(pipe, job->result, job->bytes);
    _exit(0);
}

static bool read_all(int pipe, void *bytes, size_t size)
{
    size_t got = 0;
    while (got < size) {
        ssize_t more = read(pipe, (char *)bytes + got, size - got);
        if (more == 0 || (more < 0 && errno != EINTR))
            return false;
        got += more > 0 ? (size_t)more : 0;
    }
    return true;
}

/* What is not told, because it died, is a failure. */
enum status prof_apart_run(
    prof_apart_work *work, void *owner, void *result, size_t bytes,
    struct diag *diag)
{
    struct job job = {work, owner, result, bytes};
    struct verdict verdict;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return fail(diag, STATUS_SYSTEM, "make a pipe");
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t child = fork();
    if (child == 0)
        work_apart(ends[1], &job);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)close(ends[1]);
    bool is_told = child > 0 && read_all(ends[0], &verdict, sizeof verdict) &&
                   read_all(ends[0], result, bytes);
    (void)close(ends[0]);
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    if (!is_told)
        return fail(diag, STATUS_SYSTEM, "make a process that injects");
    if (verdict.status != STATUS_OK && diag != NULL)
        *diag = verdict.diag;
    return verdict.status;
}
