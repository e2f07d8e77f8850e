/*
 * Signals that must interrupt a sleeping system call: wakings HOW MANY.
 *
 * A child sleeps in read, recv, wait or a semaphore (HOW); its parent sends a
 * signal only when the kernel says that it sleeps there, and the next one when
 * it sleeps there again. No time is measured: a call that slept on although its
 * handler ran is told by the two counts. Prints how often the handler ran and
 * how often a call returned EINTR; `restart` reads with SA_RESTART, where none
 * may.
 */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Real-time: the kernel delivers it after SIGTRAP and after SIGPROF. */
#define WAKER SIGRTMIN

struct shared {
    _Atomic long handled, interrupted;
    sem_t never;
};

static struct shared *shared;

static void handle(int number)
{
    (void)number;
    atomic_fetch_add(&shared->handled, 1);
}

static long system_call_of(const char *how)
{
    if (strcmp(how, "recv") == 0)
        return SYS_recvfrom;
    if (strcmp(how, "wait") == 0)
        return SYS_wait4;
    return strcmp(how, "semaphore") == 0 ? SYS_futex : SYS_read;
}

static long sleep_in(long number, int fd)
{
    char byte;
    switch (number) {
    case SYS_recvfrom:
        return recv(fd, &byte, 1, 0);
    case SYS_wait4:
        return wait(NULL);
    case SYS_futex:
        return sem_wait(&shared->never);
    default:
        return read(fd, &byte, 1);
    }
}

static void sleeper(long number, int flags)
{
    int pair[2];
    struct sigaction action = {.sa_handler = handle, .sa_flags = flags};
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0 ||
        sigaction(WAKER, &action, NULL) != 0)
        _exit(2);
    pid_t waited = number == SYS_wait4 ? fork() : -1;
    while (waited == 0)
        pause();
    while (sleep_in(number, pair[0]) < 0 && errno == EINTR)
        atomic_fetch_add(&shared->interrupted, 1);
    _exit(3);
}

/* proc(5): the number of the call a thread sleeps in, or "running". */
static int sleeps_in(pid_t pid, long number)
{
    char path[64];
    long found = -1;
    (void)snprintf(path, sizeof path, "/proc/%d/syscall", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL || fscanf(file, "%ld", &found) != 1)
        found = -1;
    if (file != NULL)
        (void)fclose(file);
    return found == number;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    long number = system_call_of(argv[1]), rounds = atol(argv[2]);
    int flags = strcmp(argv[1], "restart") == 0 ? SA_RESTART : 0;
    shared = mmap(
        NULL, sizeof *shared, PROT_READ | PROT_WRITE,
        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || sem_init(&shared->never, 1, 0) != 0)
        return 1;

    pid_t child = fork();
    if (child == 0) {
        (void)setpgid(0, 0);
        sleeper(number, flags);
    }
    for (long sent = 0; sent <= rounds; sent++) {
        while (atomic_load(&shared->handled) < sent ||
               !sleeps_in(child, number)) {
            if (waitpid(child, NULL, WNOHANG) != 0)
                return 1;
            (void)sched_yield();
        }
        if (sent < rounds)
            (void)kill(child, WAKER);
    }
    printf(
        "%ld %ld\n", atomic_load(&shared->handled),
        atomic_load(&shared->interrupted));
    (void)kill(-child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    return 0;
}
