/*
 * Starting a collector when the program was started without one, by plain
 * LD_PRELOAD.
 *
 * The agent makes the listening socket, so that HELLO can be said at once. The
 * collector is a clone with exit signal 0, which no wait() of the program
 * sees, in its own session, with no descriptor of the program's.
 */
#include "profiler/agent/shell.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "profiler/agent/sys.h"
#include "profiler/wire.h"

enum { NAME_DIGITS = 16, STACK_BYTES = 64 * 1024, COLLECTOR_SOCKET = 3 };

extern char **environ;

struct launch {
    int socket;
    char command[4096];
    char **environment;
    int error; /* out: why the exec failed; the memory is shared */
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
        if (strncmp(environ[i], "LD_PRELOAD=", 11) != 0)
            environment[kept++] = environ[i];
    }
    environment[kept] = session_entry;
    return environment;
}

/* Runs in the program's memory until it execs: only system calls. */
static int become_collector(void *context)
{
    struct launch *launch = context;
    char *arguments[] = {launch->command, (char *)(uintptr_t) "collect", NULL};
    int null = open("/dev/null", O_RDWR);
    int socket = fcntl(launch->socket, F_DUPFD, COLLECTOR_SOCKET + 1);
    for (int fd = 0; fd < COLLECTOR_SOCKET; fd++)
        (void)dup2(null, fd);
    (void)dup2(socket, COLLECTOR_SOCKET);
    (void)sys_call3(
        __NR_close_range, (long)(COLLECTOR_SOCKET + 1), (long)~0U, 0L);
    (void)setsid();
    launch->error = -(int)sys_call3(
        __NR_execve, launch->command, arguments, launch->environment);
    (void)sys_call1(__NR_exit_group, 127L);
    return 0;
}

static bool launch_collector(struct launch *launch)
{
    char *stack = malloc(STACK_BYTES);
    if (stack == NULL)
        return false;
    /* The child shares our memory: no handler of ours may run in it. */
    sigset_t all, before;
    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &before);
    int pid = clone(
        become_collector, stack + STACK_BYTES, CLONE_VM | CLONE_VFORK, launch);
    if (pid < 0)
        launch->error = errno;
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    free(stack);
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
