/*
 * The shell that preloads the core: what only libc and the loader know. Its
 * files interpose functions of libc; each calls the real one and adds no
 * behaviour that the program could see.
 */
#ifndef PROFILER_AGENT_SHELL_H
#define PROFILER_AGENT_SHELL_H

#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Makes a symbol of ours stand before libc's. */
#define INTERPOSE __attribute__((visibility("default")))

/*
 * libc's own functions behind ours. They are looked up once, before the
 * program runs: dlsym() takes locks, and some of these are called by signal
 * handlers and by children between fork and exec.
 */
#define SHELL_REAL_LIST(X)                                                     \
    X(_Fork)                                                                   \
    X(__ppoll_chk)                                                             \
    X(__sigaction)                                                             \
    X(__sysv_signal)                                                           \
    X(dl_iterate_phdr)                                                         \
    X(dlclose)                                                                 \
    X(epoll_pwait)                                                             \
    X(epoll_pwait2)                                                            \
    X(execve)                                                                  \
    X(execveat)                                                                \
    X(execvpe)                                                                 \
    X(fexecve)                                                                 \
    X(popen)                                                                   \
    X(posix_spawn)                                                             \
    X(posix_spawnp)                                                            \
    X(ppoll)                                                                   \
    X(prctl)                                                                   \
    X(pselect)                                                                 \
    X(pthread_create)                                                          \
    X(pthread_sigmask)                                                         \
    X(sigaction)                                                               \
    X(sigaltstack)                                                             \
    X(siginterrupt)                                                            \
    X(signal)                                                                  \
    X(signalfd)                                                                \
    X(sigpending)                                                              \
    X(sigprocmask)                                                             \
    X(sigset)                                                                  \
    X(sigsuspend)                                                              \
    X(sigtimedwait)                                                            \
    X(sigwait)                                                                 \
    X(sigwaitinfo)                                                             \
    X(system)                                                                  \
    X(syscall)

int dlclose(void *handle);
void (*bsd_signal(int number, void (*handler)(int)))(int);
void (*__sysv_signal(int number, void (*handler)(int)))(int);
int __sigaction(
    int number, const struct sigaction *wanted, struct sigaction *old);
int __ppoll_chk(
    struct pollfd *fds, nfds_t count, const struct timespec *timeout,
    const sigset_t *mask, size_t room);
int prctl(int option, ...);

struct shell_real {
#define SHELL_REAL_FIELD(name) __typeof__(&name) name;
    SHELL_REAL_LIST(SHELL_REAL_FIELD)
#undef SHELL_REAL_FIELD
};

const struct shell_real *shell_real(void);

/* dlsym itself: NULL when libc hides it. */
typedef void *shell_dlsym_function(void *handle, const char *name);
shell_dlsym_function *shell_real_dlsym(void);

/* Read the settings for what the program says of its own spans. */
void shell_spans_begin(void);

/*
 * The signal mask the program believes in. Our signals are never blocked; a
 * thread that blocks them is told that it did.
 */
#define SHELL_BELIEFS ((1u << SIGTRAP) | (1u << SIGPROF))
unsigned shell_mask_beliefs(void); /* of SHELL_BELIEFS, and of the signals of
                                      faults, those "blocked" */
void shell_mask_inherit(unsigned beliefs);
void shell_mask_begin(void);
unsigned shell_mask_ours_in(const sigset_t *set); /* of SHELL_BELIEFS */

/*
 * For as long as a call waits with `mask` (NULL: with the thread's own), that
 * is what the program believes in. The value goes to shell_mask_resume().
 */
unsigned shell_mask_assume(const sigset_t *mask);
void shell_mask_resume(unsigned before);

/* Around taking signals out of the kernel's queue: they are blocked there. */
void shell_mask_begin_taking(unsigned of);
void shell_mask_end_taking(unsigned of);

/*
 * Let the object that holds `code` block our signals in earnest. libunwind
 * does so around its locks, and our handler takes the same ones.
 */
void shell_mask_exempt(const void *code);

/* Give the kernel the mask the program believes in, for an exec; and back. */
void shell_mask_reveal(void);
void shell_mask_hide(void);

/*
 * Start a collector for this process tree.
 *
 *   session  out: NAME.SECRET; `session_bytes` of room
 *   reason   out, on failure: static storage
 */
bool shell_start_collector(
    char *session, unsigned session_bytes, const char **reason);

/* In a fork's child: the calling thread has made none yet. */
void shell_threads_after_fork(void);

/* See struct prof_core_config; for handlers too. */
_Atomic int *shell_threads_own_timer(void);

/* Publish every module's code that was not published yet. */
void shell_publish_modules(void);

/* The same when the process ends, where that cannot hang. */
void shell_publish_last_modules(void);

void shell_modules_after_fork(void);

/* Tell which of the published modules are gone. */
void shell_retire_modules(void);

/* In the child of a fork, by whichever door. */
void shell_restart_in_child(void);

/*
 * What an exec must find: no event armed, and the mask the program believes
 * in, which the new program inherits. Undone when the exec fails.
 *
 *   is_bare  out: the program would not start with the agent, so its
 *            environment must not have it
 */
bool shell_begin_exec(
    const char *file, bool is_searched, char *const envp[], bool *is_bare);
void shell_undo_exec(bool is_disarmed);

/* At exit, by whichever door: account, and wait for outputs. */
void shell_leave(void);

#endif
