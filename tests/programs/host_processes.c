/* Becomes other processes and other programs, in every way there is. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/programs/host_case.h"

extern char **environ;

static const char *own_path;

static void print_end(const char *how, pid_t child, int options)
{
    int status = 0;
    errno = 0;
    pid_t ended = waitpid(child, &status, options);
    printf(
        "%s: %d %s %d\n", how, ended == child,
        WIFSIGNALED(status) ? "signal" : "status",
        WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    if (ended != child)
        printf("%s\n", strerror(errno));
}

static void print_no_children(void)
{
    pid_t left = waitpid(-1, NULL, __WALL);
    printf("no more children %d %d\n", left, errno == ECHILD);
}

static void hello(void);

/* ---- children ---- */

static int child_work(void *argument)
{
    burn_ns(BRIEFLY / 2);
    return *(int *)argument;
}

/* No handler of libc's sees these. */
static void raw_clone(void)
{
    for (int i = 0; i < 3; i++) {
        long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
        if (child == 0) {
            burn_ns(BRIEFLY / 2);
            if (i == 1)
                exit(5);
            if (i == 2)
                execl(own_path, own_path, "hello", (char *)NULL);
            _exit(4);
        }
        print_end("raw clone", (pid_t)child, 0);
    }
    pid_t child = _Fork();
    if (child == 0) {
        burn_ns(BRIEFLY / 2);
        _exit(6);
    }
    print_end("_Fork", child, 0);
    print_no_children();
}

static void clone_in_shared_memory(void)
{
    enum { STACK_BYTES = 65536 };
    char *stack = malloc(STACK_BYTES);
    int result = 7;
    for (int i = 0; i < 3; i++) {
        int flags[] = {
            CLONE_VM | SIGCHLD, CLONE_VM | CLONE_VFORK | SIGCHLD,
            CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND};
        pid_t child = clone(child_work, stack + STACK_BYTES, flags[i], &result);
        print_end("clone", child, __WALL);
        burn_ns(BRIEFLY / 2);
    }
    print_no_children();
}

static void fork_and_vfork(void)
{
    for (volatile int i = 0; i < 4; i++) {
        pid_t child = i % 2 ? vfork() : fork();
        if (child == 0) {
            if (i < 2)
                execl(own_path, own_path, "hello", (char *)NULL);
            _exit(i);
        }
        print_end("child", child, 0);
        burn_ns(BRIEFLY / 4);
    }
    print_no_children();
}

/* As shells do: the child changes what it is about to hand on. */
static void vfork_and_change(void)
{
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    burn_ns(BRIEFLY);
    for (volatile int i = 0; i < 4; i++) {
        signal(SIGPROF, i % 2 ? SIG_IGN : SIG_DFL);
        sigprocmask(SIG_SETMASK, i < 2 ? &all : &none, NULL);
        pid_t child = vfork();
        if (child == 0) {
            signal(SIGPROF, i % 2 ? SIG_DFL : SIG_IGN);
            sigprocmask(SIG_SETMASK, i < 2 ? &none : &all, NULL);
            execl(own_path, own_path, "hello", (char *)NULL);
            _exit(9);
        }
        print_end("child", child, 0);
        hello();
    }
}

static void *work(void *nothing)
{
    burn_ns(BRIEFLY);
    return nothing;
}

static void fork_with_threads(void)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, work, NULL);
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();
        if (child == 0) {
            pthread_t more;
            pthread_create(&more, NULL, work, NULL);
            pthread_join(more, NULL);
            _exit(i);
        }
        print_end("child", child, 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    print_no_children();
}

static void spawn(void)
{
    char *const argv[] = {(char *)(uintptr_t)own_path, "hello", NULL};
    posix_spawnattr_t attributes;
    sigset_t set;
    pid_t child;
    burn_ns(BRIEFLY);
    posix_spawn(&child, own_path, NULL, NULL, argv, environ);
    print_end("spawn", child, 0);

    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPROF, SIG_IGN);
    signal(SIGTRAP, SIG_IGN);
    posix_spawn(&child, own_path, NULL, NULL, argv, environ);
    print_end("spawn, all blocked", child, 0);
    posix_spawnp(&child, own_path, NULL, NULL, argv, environ);
    print_end("spawnp, all blocked", child, 0);

    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    sigemptyset(&set);
    sigaddset(&set, SIGPROF);
    posix_spawnattr_setsigmask(&attributes, &set);
    posix_spawnattr_setsigdefault(&attributes, &set);
    posix_spawn(&child, own_path, NULL, &attributes, argv, environ);
    print_end("spawn with a mask", child, 0);
    printf(
        "none: %d\n", posix_spawn(&child, "/none", NULL, NULL, argv, environ));

    char command[4096];
    (void)snprintf(command, sizeof command, "%s hello", own_path);
    printf("system %d\n", system(command));
    FILE *pipe = popen(command, "r");
    while (fgets(command, sizeof command, pipe) != NULL)
        printf("popen: %s", command);
    printf("pclose %d\n", pclose(pipe));
    print_no_children();
}

/* What an exec or a spawn has handed on. */
static void hello(void)
{
    sigset_t set;
    burn_ns(BRIEFLY / 4);
    printf("hello, blocked:");
    sigprocmask(SIG_BLOCK, NULL, &set);
    for (int number = 1; number < NSIG; number++) {
        if (sigismember(&set, number) == 1)
            printf(" %d", number);
    }
    printf("; ignored:");
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) == 0 &&
            action.sa_handler == SIG_IGN)
            printf(" %d", number);
    }
    struct itimerval timer;
    getitimer(ITIMER_REAL, &timer);
    printf("; alarm %d\n", timer.it_value.tv_sec > 0);
}

/* ---- exec ---- */

static void exec_by(int way)
{
    char *const argv[] = {(char *)(uintptr_t)own_path, "hello", NULL};
    switch (way) {
    case 0:
        execl(own_path, own_path, "hello", (char *)NULL);
        break;
    case 1:
        execlp(own_path, own_path, "hello", (char *)NULL);
        break;
    case 2:
        execle(own_path, own_path, "hello", (char *)NULL, environ);
        break;
    case 3:
        execv(own_path, argv);
        break;
    case 4:
        execvp(own_path, argv);
        break;
    case 5:
        execvpe(own_path, argv, environ);
        break;
    case 6:
        execve(own_path, argv, environ);
        break;
    case 7:
        fexecve(open(own_path, O_RDONLY | O_CLOEXEC), argv, environ);
        break;
    case 8:
        execveat(AT_FDCWD, own_path, argv, environ, 0);
        break;
    default:
        syscall(SYS_execve, own_path, argv, environ);
        break;
    }
}

static void exec_in_every_way(void)
{
    for (int way = 0; way < 10; way++) {
        pid_t child = fork();
        if (child == 0) {
            burn_ns(BRIEFLY / 4);
            printf("no %d", execl("/none", "none", (char *)NULL));
            printf(" %d\n", errno);
            alarm(1000);
            sigset_t set;
            sigemptyset(&set);
            sigaddset(&set, way % 2 ? SIGTRAP : SIGUSR1);
            sigprocmask(SIG_SETMASK, &set, NULL);
            exec_by(way);
            _exit(99);
        }
        print_end("exec", child, 0);
    }
}

/* One after the other, all under the name of one process. */
static void exec_chain(void)
{
    const char *left = getenv("HOST_LINKS");
    int links = left != NULL ? atoi(left) : 20;
    burn_ns(NS_PER_MS / 2);
    if (links == 0)
        exit(42);
    char next[16];
    (void)snprintf(next, sizeof next, "%d", links - 1);
    setenv("HOST_LINKS", next, 1);
    execl(own_path, own_path, "exec_chain", (char *)NULL);
}

static void exec_chains(void)
{
    int whole = 0;
    for (int i = 0; i < 100; i++) {
        int status = 0;
        pid_t child = fork();
        if (child == 0)
            exec_chain();
        waitpid(child, &status, 0);
        whole += WIFEXITED(status) && WEXITSTATUS(status) == 42;
    }
    printf("%d chains whole\n", whole);
}

static void *exec_in_thread(void *nothing)
{
    exec_by(6);
    return nothing;
}

static void exec_from_a_thread(void)
{
    pthread_t threads[4];
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, work, NULL);
    burn_ns(BRIEFLY / 2);
    pthread_create(&threads[3], NULL, exec_in_thread, NULL);
    pthread_join(threads[3], NULL);
    _exit(98);
}

/* A signal that waits, waits on in the new program. */
static void exec_with_pending_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPROF);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    burn_ns(BRIEFLY);
    kill(getpid(), SIGPROF);
    raise(SIGUSR1);
    burn_ns(BRIEFLY);
    execl(own_path, own_path, "pending", (char *)NULL);
}

static void pending(void)
{
    sigset_t set;
    burn_ns(BRIEFLY / 4);
    sigpending(&set);
    printf(
        "pending %d %d\n", sigismember(&set, SIGPROF),
        sigismember(&set, SIGUSR1));
    int number = 0;
    sigemptyset(&set);
    sigaddset(&set, SIGPROF);
    sigwait(&set, &number);
    printf("%d\n", number);
    sigpending(&set);
    printf(
        "pending %d %d\n", sigismember(&set, SIGPROF),
        sigismember(&set, SIGUSR1));
}

/* ---- becoming something else ---- */

static void become_daemon(void)
{
    int pipe_fds[2];
    char byte = 0;
    if (pipe(pipe_fds) != 0)
        return;
    pid_t child = fork();
    if (child == 0) {
        burn_ns(BRIEFLY / 4);
        if (daemon(0, 0) != 0)
            _exit(9);
        burn_ns(BRIEFLY);
        _exit(write(pipe_fds[1], "x", 1) != 1);
    }
    print_end("daemon's parent", child, 0);
    (void)close(pipe_fds[1]);
    ssize_t got = read(pipe_fds[0], &byte, 1);
    printf("the daemon spoke %d %c\n", (int)got, byte);
    print_no_children();
}

static void drop_privileges(void)
{
    burn_ns(BRIEFLY);
    printf(
        "%d %d %d\n", setgroups(0, NULL), setresgid(65534, 65534, 65534),
        setresuid(65534, 65534, 65534));
    printf("dumpable %d\n", prctl(PR_GET_DUMPABLE));
    burn_ns(BRIEFLY);
    pid_t child = fork();
    if (child == 0) {
        burn_ns(BRIEFLY);
        execl("/bin/sh", "sh", "-c", "exit 3", (char *)NULL);
        _exit(8);
    }
    print_end("unprivileged child", child, 0);
    pthread_t thread;
    pthread_create(&thread, NULL, work, NULL);
    pthread_join(thread, NULL);
}

static void undumpable(void)
{
    prctl(PR_SET_DUMPABLE, 0);
    burn_ns(BRIEFLY);
    printf("dumpable %d\n", prctl(PR_GET_DUMPABLE));
    pid_t child = fork();
    if (child == 0) {
        burn_ns(BRIEFLY);
        _exit(3);
    }
    print_end("child", child, 0);
}

static void in_a_chroot(void)
{
    char folder[] = "/tmp/watchfire-chroot.XXXXXX";
    burn_ns(BRIEFLY);
    int outside = open("/tmp", O_PATH | O_CLOEXEC);
    if (outside < 0 || mkdtemp(folder) == NULL || chroot(folder) != 0 ||
        chdir("/") != 0)
        _exit(77);
    burn_ns(BRIEFLY);
    pid_t child = fork();
    if (child == 0) {
        burn_ns(BRIEFLY);
        _exit(3);
    }
    print_end("child", child, 0);
    pthread_t thread;
    pthread_create(&thread, NULL, work, NULL);
    pthread_join(thread, NULL);
    printf("exec %d", execl("/bin/true", "true", (char *)NULL));
    printf(" %d\n", errno);
    burn_ns(BRIEFLY);
    (void)unlinkat(outside, folder + sizeof "/tmp", AT_REMOVEDIR);
    (void)close(outside);
}

static void in_other_namespaces(void)
{
    if (unshare(CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWNS) != 0)
        _exit(77);
    burn_ns(BRIEFLY);
    pid_t child = fork();
    if (child == 0) {
        burn_ns(BRIEFLY);
        long inner = syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
        if (inner == 0) {
            printf("pid %d\n", getpid());
            burn_ns(BRIEFLY);
            exit(4);
        }
        print_end("inner", (pid_t)inner, 0);
        raise(SIGPROF); /* PID 1 does not die of it */
        raise(SIGTRAP);
        burn_ns(BRIEFLY);
        printf("pid %d\n", getpid());
        execl(own_path, own_path, "hello", (char *)NULL);
    }
    print_end("namespace", child, 0);
}

static void no_new_privileges(void)
{
    burn_ns(BRIEFLY / 2);
    printf("%d\n", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    printf("%d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    prctl(PR_SET_NAME, "renamed");
    char name[16];
    prctl(PR_GET_NAME, name);
    printf("%s\n", name);
    execl(own_path, own_path, "hello", (char *)NULL);
}

/* The child is to die with the thread that made it, and only then. */
static void death_signal(void)
{
    int pipe_fds[2];
    char byte;
    if (pipe(pipe_fds) != 0)
        return;
    pid_t middle = fork();
    if (middle == 0) {
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            (void)close(pipe_fds[0]);
            burn_ns(BRIEFLY);
            if (write(pipe_fds[1], "r", 1) == 1)
                pause();
            _exit(0);
        }
        (void)close(pipe_fds[1]);
        _exit(read(pipe_fds[0], &byte, 1) != 1);
    }
    (void)close(pipe_fds[1]);
    print_end("middle", middle, 0);
    printf("end of file %d\n", (int)read(pipe_fds[0], &byte, 1));
}

/* ---- SIGCHLD ---- */

static volatile sig_atomic_t children_ended;

static void reap(int number)
{
    int saved_errno = errno;
    (void)number;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        children_ended++;
    errno = saved_errno;
}

static void reap_in_a_handler(void)
{
    struct sigaction action = {.sa_handler = reap, .sa_flags = SA_RESTART};
    sigaction(SIGCHLD, &action, NULL);
    for (int i = 0; i < 30; i++) {
        if (fork() == 0)
            _exit(i);
        burn_ns(NS_PER_MS);
    }
    while (children_ended < 30)
        burn_ns(NS_PER_MS);
    printf("%d ended\n", (int)children_ended);
    signal(SIGCHLD, SIG_IGN);
    if (fork() == 0)
        _exit(1);
    printf("ignored: %d", wait(NULL));
    printf(" %d\n", errno == ECHILD);
}

/* ---- descriptors ---- */

static void print_descriptors(void)
{
    for (int fd = 0; fd < 1024; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            printf("%d ", fd);
    }
    printf("open\n");
}

static void close_everything_else(void)
{
    burn_ns(BRIEFLY / 2);
    closefrom(3);
    print_descriptors();
    burn_ns(BRIEFLY / 2);
    pid_t child = fork();
    if (child == 0) {
        burn_ns(BRIEFLY / 2);
        close_range(3, ~0U, 0);
        print_descriptors();
        execl(own_path, own_path, "hello", (char *)NULL);
    }
    print_end("child", child, 0);
    printf("%d\n", (int)close_range(3, ~0U, CLOSE_RANGE_UNSHARE));
    close_range(0, 2, CLOSE_RANGE_CLOEXEC);
    print_descriptors();
    (void)fcntl(1, F_SETFD, 0);
    execl(own_path, own_path, "started_closed", (char *)NULL);
}

/* Started with the standard streams closed. */
static void started_closed(void)
{
    burn_ns(BRIEFLY / 2);
    print_descriptors();
    printf("%d\n", open("/dev/null", O_RDONLY));
    if (fork() == 0) {
        burn_ns(BRIEFLY / 2);
        print_descriptors();
        _exit(0);
    }
    wait(NULL);
}

int main(int argc, char **argv)
{
    static const struct host_case cases[] = {
        {"become_daemon", become_daemon},
        {"clone_in_shared_memory", clone_in_shared_memory},
        {"close_everything_else", close_everything_else},
        {"death_signal", death_signal},
        {"drop_privileges", drop_privileges},
        {"exec_chain", exec_chain},
        {"exec_chains", exec_chains},
        {"exec_from_a_thread", exec_from_a_thread},
        {"exec_in_every_way", exec_in_every_way},
        {"exec_with_pending_signals", exec_with_pending_signals},
        {"fork_and_vfork", fork_and_vfork},
        {"fork_with_threads", fork_with_threads},
        {"hello", hello},
        {"in_a_chroot", in_a_chroot},
        {"in_other_namespaces", in_other_namespaces},
        {"no_new_privileges", no_new_privileges},
        {"pending", pending},
        {"raw_clone", raw_clone},
        {"reap_in_a_handler", reap_in_a_handler},
        {"spawn", spawn},
        {"started_closed", started_closed},
        {"undumpable", undumpable},
        {"vfork_and_change", vfork_and_change},
    };
    own_path = argv[0];
    return HOST_CASES(cases, argc, argv);
}
