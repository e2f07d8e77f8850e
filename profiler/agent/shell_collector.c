/*
 * Starting a collector when the program was started without one, by plain
 * LD_PRELOAD.
 *
 * The agent makes the listening socket, so that HELLO can be said at once. No
 * wait() of the program may see the collector. A clone with exit signal 0 is
 * seen only by __WALL and __WCLONE; but exec gives a process its exit signal
 * back (execve(2)). So there are two: a guard, cloned with exit signal 0,
 * which does not exec, and the collector as its child. The guard ends at once
 * and is reaped by us, unless the program is PID 1 or a subreaper and would
 * inherit the orphan: then the guard stays as long as its child. Both are in a
 * session of their own and hold no descriptor of the program's.
 */
#include "profiler/agent/shell.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/agent/sys.h"
#include "profiler/wire/message.h"

enum { NAME_DIGITS = 16, COLLECTOR_SOCKET = 3 };

extern char **environ;

struct launch {
    int socket;
    char command[4096];
    char **environment;
    bool is_adoptive; /* the program inherits orphans */
    int error;        /* out: why it could not be started */
};

/* <folder of the library>/../bin/watchfire */
static bool find_command(char *path, size_t bytes)
{
    Dl_info own;
    if (dladdr((void *)(uintptr_t)find_command, &own) == 0)
        return false;
    const char *slash = strrchr(own.dli_fname, '/');
    int folder = slash ? (int)(slash - own.dli_fname) : 1;
    int length = snprintf(
        path, bytes, "%.*s/../bin/watchfire", folder,
        slash ? own.dli_fname : ".");
    return length > 0 && (size_t)length < bytes;
}

static bool make_session(char *session, size_t bytes)
{
    unsigned char random[(NAME_DIGITS + WIRE_SECRET_BYTES) / 2];
    if (bytes < sizeof random * 2 + 2 ||
        getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return false;
    char *at = session;
    for (size_t i = 0; i < sizeof random; i++) {
        if (i == NAME_DIGITS / 2)
            *at++ = '.';
        at += sprintf(at, "%02x", random[i]);
    }
    return true;
}

static int listen_on(const char *session)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(
        address.sun_path + 1, sizeof address.sun_path - 1, "watchfire-%.*s",
        NAME_DIGITS, session);
    socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1) +
                      (socklen_t)length;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd >= 0 && (bind(fd, (struct sockaddr *)&address, bytes) < 0 ||
                    listen(fd, SOMAXCONN) < 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* Whether it is the program's own matter, and none of its collector's. */
static bool is_for_program(const char *entry)
{
    return strncmp(entry, "LD_PRELOAD=", 11) == 0 ||
           strncmp(entry, "LD_AUDIT=", 9) == 0;
}

/* The collector must not be sampled, and must know its session. */
static char **make_environment(char *session_entry)
{
    size_t count = 0;
    while (environ[count] != NULL)
        count++;
    char **environment = calloc(count + 2, sizeof *environment);
    if (environment == NULL)
        return NULL;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_for_program(environ[i]))
            environment[kept++] = environ[i];
    }
    environment[kept] = session_entry;
    return environment;
}

/* The program's soft limits are not for us. */
static void lift_limit(int resource)
{
    struct sys_limit limit = sys_limit(resource);
    limit.soft = limit.hard;
    (void)sys_call4(__NR_prlimit64, 0L, (long)resource, &limit, (void *)NULL);
}

/* Only system calls from here on: libc's state is a copy of the program's. */
static void become_collector(struct launch *launch, int error_pipe)
{
    lift_limit(RLIMIT_AS);
    char *arguments[] = {launch->command, (char *)(uintptr_t) "collect", NULL};
    sigset_t none = {0};
    (void)sys_call2(__NR_dup2, (long)launch->socket, (long)COLLECTOR_SOCKET);
    (void)sys_call4(__NR_rt_sigprocmask, (long)SIG_SETMASK, &none, NULL, 8L);
    int error = -(int)sys_call3(
        __NR_execve, launch->command, arguments, launch->environment);
    (void)sys_call3(__NR_write, (long)error_pipe, &error, sizeof error);
}

/* Before Linux 5.9 one by one, up to what is usual. */
static void close_from(int first)
{
    enum { USUAL_LIMIT = 1024 };
    if (sys_call3(__NR_close_range, (long)first, (long)~0U, 0L) == 0)
        return;
    for (int fd = first; fd < USUAL_LIMIT; fd++)
        (void)sys_close(fd);
}

/*
 * Keep the socket and the pipe above the collector's descriptors, no others.
 * Returns a negative errno when there is no room for them.
 */
static int drop_descriptors(struct launch *launch, int *error_pipe)
{
    enum { KEPT = COLLECTOR_SOCKET + 1 };
    lift_limit(RLIMIT_NOFILE);
    int socket = (int)sys_call3(
        __NR_fcntl, (long)launch->socket, (long)F_DUPFD_CLOEXEC, 10L);
    int pipe_end = (int)sys_call3(
        __NR_fcntl, (long)*error_pipe, (long)F_DUPFD_CLOEXEC, 10L);
    if (socket < 0 || pipe_end < 0)
        return -EMFILE;
    (void)sys_call2(__NR_dup2, (long)socket, (long)KEPT);
    (void)sys_call2(__NR_dup2, (long)pipe_end, (long)(KEPT + 1));
    (void)sys_call3(__NR_fcntl, (long)KEPT, (long)F_SETFD, (long)FD_CLOEXEC);
    (void)sys_call3(
        __NR_fcntl, (long)(KEPT + 1), (long)F_SETFD, (long)FD_CLOEXEC);
    close_from(KEPT + 2);
    launch->socket = KEPT;
    *error_pipe = KEPT + 1;

    int null = (int)sys_call4(
        __NR_openat, (long)AT_FDCWD, "/dev/null", (long)O_RDWR, 0L);
    for (long fd = 0; fd < COLLECTOR_SOCKET; fd++) {
        if (fd != null)
            (void)sys_call2(__NR_dup2, (long)null, fd);
    }
    return 0;
}

static _Noreturn void guard_collector(struct launch *launch, int error_pipe)
{
    (void)sys_call0(__NR_setsid);
    long collector = drop_descriptors(launch, &error_pipe);
    if (collector == 0)
        collector = sys_call5(__NR_clone, (long)SIGCHLD, 0L, NULL, NULL, 0L);
    if (collector == 0)
        become_collector(launch, error_pipe);
    else {
        int error = (int)-collector;
        if (collector < 0)
            (void)sys_call3(__NR_write, (long)error_pipe, &error, sizeof error);
        close_from(0);
        (void)sys_call2(__NR_prctl, (long)PR_SET_NAME, "watchfire-guard");
        if (collector > 0 && launch->is_adoptive)
            (void)sys_call4(__NR_wait4, collector, NULL, 0L, NULL);
    }
    for (;;)
        (void)sys_call1(__NR_exit_group, 0L);
}

static bool launch_collector(struct launch *launch)
{
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) != 0) {
        launch->error = errno;
        return false;
    }
    /* No handler of the program's may run in the guard. */
    sigset_t all, before;
    int is_subreaper = 0;
    (void)prctl(PR_GET_CHILD_SUBREAPER, &is_subreaper);
    launch->is_adoptive = getpid() == 1 || is_subreaper != 0;
    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &before);
    long guard = sys_call5(__NR_clone, 0L, 0L, NULL, NULL, 0L);
    if (guard == 0)
        guard_collector(launch, pipe_fds[1]);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);

    (void)close(pipe_fds[1]);
    if (guard < 0)
        launch->error = (int)-guard;
    else if (
        read(pipe_fds[0], &launch->error, sizeof launch->error) !=
        sizeof launch->error)
        launch->error = 0;
    (void)close(pipe_fds[0]);
    if (guard > 0 && !launch->is_adoptive)
        (void)waitpid((pid_t)guard, NULL, __WCLONE);
    return launch->error == 0;
}

bool shell_start_collector(
    char *session, unsigned session_bytes, const char **reason)
{
    static char sentence[4200];
    struct launch launch = {.socket = -1};
    char entry[160];

    if (!make_session(session, session_bytes) ||
        !find_command(launch.command, sizeof launch.command)) {
        *reason = "cannot find the watchfire command beside the library";
        return false;
    }
    (void)snprintf(entry, sizeof entry, "WATCHFIRE_SESSION=%s", session);
    launch.environment = make_environment(entry);
    launch.socket = listen_on(session);
    if (launch.environment == NULL || launch.socket < 0) {
        *reason = "cannot make a socket for the collector";
        launch.error = ENOMEM;
    } else if (!launch_collector(&launch)) {
        (void)snprintf(
            sentence, sizeof sentence, "cannot start the collector '%s': %s",
            launch.command, strerror(launch.error));
        *reason = sentence;
    }
    if (launch.socket >= 0)
        close(launch.socket);
    free(launch.environment);
    return launch.error == 0;
}
