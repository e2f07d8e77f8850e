/*
 * Every way to wait, counted: waits SECONDS [pest | anew].
 *
 * One thread for each call that a signal can cut short in spite of SA_RESTART:
 * with a time limit, which nobody meets, and without one, woken by the first
 * thread. Beside them busy loops of calls that are ready at once, and of
 * transfers that a signal can cut into pieces. All of them compute a little
 * between the calls, so that there is something to sample.
 *
 * Prints, for each thread, as JSON: how often it waited, how often it was
 * interrupted, came back before the limit, came back with less than was asked,
 * and was late: by more than half of the limit, the time apart in which it
 * waited for a CPU. So late is who begins a limit anew towards its end; a
 * virtual machine that stands still for some ms makes nobody that late. With
 * `pest` a timer of its own sends signals, as a sampler of the old kind would,
 * and with `anew` each limit is waited for twice, as by a restart that does not
 * know how much is left: then the counts are not 0.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/programs/burn.h"

enum { WAKE_SIGNAL = SIGUSR1, BLOCK_BYTES = 262144, PAGE_BYTES = 4096 };

static const struct timespec limit = {.tv_nsec = 60 * NS_PER_MS};
static _Atomic bool is_over;
static bool is_anew;

struct waiter;
typedef int call(struct waiter *waiter); /* -1 with errno, or not */
typedef void wake_up(struct waiter *waiter);

struct kind {
    const char *name;
    call *run;
    wake_up *wake; /* NULL: it has a limit, or is never asleep for long */
    bool is_busy;
};

struct waiter {
    const struct kind *kind;
    pthread_t thread;
    int pipe[2], sockets[2], epoll, listener, messages, semaphores;
    sem_t semaphore;
    uint32_t futex;
    struct sockaddr_un address;
    socklen_t address_bytes;
    char *block;
    uint64_t waits, interrupted, early, late, pieces;
};

/* ---- clocks ---- */

static struct timespec limit_from_now(clockid_t clock)
{
    uint64_t end = clock_ns(clock) + (uint64_t)limit.tv_nsec;
    return (struct timespec){
        .tv_sec = (time_t)(end / NS_PER_SECOND),
        .tv_nsec = (long)(end % NS_PER_SECOND)};
}

/* ---- calls with a limit; in the end it is met: -1 stands for a failure ----
 */

static int after_limit(int result)
{
    if (result == 0)
        return 0;
    return errno == ETIMEDOUT || errno == EAGAIN ? 0 : -1;
}

static int timed_poll(struct waiter *w)
{
    struct pollfd fd = {.fd = w->pipe[0], .events = POLLIN};
    return poll(&fd, 1, (int)(limit.tv_nsec / (long)NS_PER_MS));
}

static int timed_ppoll(struct waiter *w)
{
    struct pollfd fd = {.fd = w->pipe[0], .events = POLLIN};
    return ppoll(&fd, 1, &limit, NULL);
}

static int timed_epoll_wait(struct waiter *w)
{
    struct epoll_event event;
    return epoll_wait(
        w->epoll, &event, 1, (int)(limit.tv_nsec / (long)NS_PER_MS));
}

static int timed_epoll_pwait2(struct waiter *w)
{
    struct epoll_event event;
    return epoll_pwait2(w->epoll, &event, 1, &limit, NULL);
}

static int timed_select(struct waiter *w)
{
    struct timeval time = {.tv_usec = limit.tv_nsec / 1000};
    fd_set set;
    FD_ZERO(&set);
    FD_SET(w->pipe[0], &set);
    return select(w->pipe[0] + 1, &set, NULL, NULL, &time);
}

static int timed_pselect(struct waiter *w)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(w->pipe[0], &set);
    return pselect(w->pipe[0] + 1, &set, NULL, NULL, &limit, NULL);
}

static int timed_nanosleep(struct waiter *w)
{
    (void)w;
    return nanosleep(&limit, NULL);
}

static int timed_clock_nanosleep(struct waiter *w)
{
    (void)w;
    errno = clock_nanosleep(CLOCK_MONOTONIC, 0, &limit, NULL);
    return errno == 0 ? 0 : -1;
}

static int timed_clock_nanosleep_until(struct waiter *w)
{
    (void)w;
    struct timespec end = limit_from_now(CLOCK_MONOTONIC);
    errno = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL);
    return errno == 0 ? 0 : -1;
}

static int timed_usleep(struct waiter *w)
{
    (void)w;
    return usleep((useconds_t)(limit.tv_nsec / 1000));
}

static int timed_sem_wait(struct waiter *w)
{
    struct timespec end = limit_from_now(CLOCK_REALTIME);
    return after_limit(sem_timedwait(&w->semaphore, &end));
}

static int timed_sigwait(struct waiter *w)
{
    (void)w;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, WAKE_SIGNAL);
    return after_limit(sigtimedwait(&set, NULL, &limit));
}

static int timed_recv(struct waiter *w)
{
    char byte;
    return after_limit((int)recv(w->sockets[0], &byte, 1, 0));
}

static int timed_accept(struct waiter *w)
{
    return after_limit(accept(w->listener, NULL, NULL));
}

static int timed_futex(struct waiter *w)
{
    return after_limit((int)syscall(
        SYS_futex, &w->futex, FUTEX_WAIT_PRIVATE, 0, &limit, NULL, 0));
}

static int timed_semop(struct waiter *w)
{
    struct sembuf take = {.sem_op = -1};
    return after_limit(semtimedop(w->semaphores, &take, 1, &limit));
}

/* ---- calls without one ---- */

static int took_byte(struct waiter *w, int ready)
{
    char byte;
    if (ready == 1 && read(w->pipe[0], &byte, 1) != 1)
        return -1;
    return ready;
}

static int endless_poll(struct waiter *w)
{
    struct pollfd fd = {.fd = w->pipe[0], .events = POLLIN};
    return took_byte(w, poll(&fd, 1, -1));
}

static int endless_ppoll(struct waiter *w)
{
    struct pollfd fd = {.fd = w->pipe[0], .events = POLLIN};
    return took_byte(w, ppoll(&fd, 1, NULL, NULL));
}

static int endless_epoll_wait(struct waiter *w)
{
    struct epoll_event event;
    return took_byte(w, epoll_wait(w->epoll, &event, 1, -1));
}

static int endless_epoll_pwait2(struct waiter *w)
{
    struct epoll_event event;
    return took_byte(w, epoll_pwait2(w->epoll, &event, 1, NULL, NULL));
}

static int endless_select(struct waiter *w)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(w->pipe[0], &set);
    return took_byte(w, select(w->pipe[0] + 1, &set, NULL, NULL, NULL));
}

static int endless_pselect(struct waiter *w)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(w->pipe[0], &set);
    return took_byte(w, pselect(w->pipe[0] + 1, &set, NULL, NULL, NULL, NULL));
}

static int endless_sem_wait(struct waiter *w)
{
    return sem_wait(&w->semaphore);
}

static int endless_sigwait(struct waiter *w)
{
    (void)w;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, WAKE_SIGNAL);
    return sigwaitinfo(&set, NULL) == WAKE_SIGNAL ? 0 : -1;
}

static int endless_recv(struct waiter *w)
{
    char byte;
    return recv(w->sockets[0], &byte, 1, 0) == 1 ? 0 : -1;
}

static int endless_accept(struct waiter *w)
{
    int fd = accept(w->listener, NULL, NULL);
    if (fd >= 0)
        close(fd);
    return fd >= 0 ? 0 : -1;
}

static int endless_futex(struct waiter *w)
{
    /* A wake that came before leaves 1 in it. */
    while (__atomic_load_n(&w->futex, __ATOMIC_ACQUIRE) == 0) {
        if (syscall(
                SYS_futex, &w->futex, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0) !=
                0 &&
            errno != EAGAIN)
            return -1;
    }
    __atomic_store_n(&w->futex, 0, __ATOMIC_RELEASE);
    return 0;
}

static int endless_msgrcv(struct waiter *w)
{
    struct {
        long type;
        char text[8];
    } message;
    return msgrcv(w->messages, &message, sizeof message.text, 0, 0) < 0 ? -1
                                                                        : 0;
}

static int endless_semop(struct waiter *w)
{
    struct sembuf take = {.sem_op = -1};
    return semop(w->semaphores, &take, 1);
}

static void wake_by_byte(struct waiter *w)
{
    (void)!write(w->pipe[1], "x", 1);
}

static void wake_by_post(struct waiter *w)
{
    sem_post(&w->semaphore);
}

static void wake_by_signal(struct waiter *w)
{
    pthread_kill(w->thread, WAKE_SIGNAL);
}

static void wake_by_send(struct waiter *w)
{
    send(w->sockets[1], "x", 1, MSG_DONTWAIT);
}

static void wake_by_connect(struct waiter *w)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    connect(fd, (const struct sockaddr *)&w->address, w->address_bytes);
    close(fd);
}

static void wake_by_futex(struct waiter *w)
{
    __atomic_store_n(&w->futex, 1, __ATOMIC_RELEASE);
    syscall(SYS_futex, &w->futex, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void wake_by_message(struct waiter *w)
{
    struct {
        long type;
        char text[8];
    } message = {.type = 1};
    msgsnd(w->messages, &message, sizeof message.text, IPC_NOWAIT);
}

static void wake_by_semop(struct waiter *w)
{
    struct sembuf give = {.sem_op = 1, .sem_flg = IPC_NOWAIT};
    semop(w->semaphores, &give, 1);
}

/* ---- busy loops ---- */

static int ready_epoll_wait(struct waiter *w)
{
    struct epoll_event event;
    return epoll_wait(w->epoll, &event, 1, 1000) == 1 ? 0 : -1;
}

static int ready_poll(struct waiter *w)
{
    struct pollfd fd = {.fd = w->pipe[0], .events = POLLIN};
    return poll(&fd, 1, 1000) == 1 ? 0 : -1;
}

static int whole(struct waiter *w, ssize_t bytes, size_t wanted)
{
    w->pieces += bytes >= 0 && (size_t)bytes != wanted;
    return bytes < 0 ? -1 : 0;
}

/* A write of one page and a read of it: neither has to wait. */
static int page_pipe(struct waiter *w)
{
    if (whole(w, write(w->pipe[1], w->block, PAGE_BYTES), PAGE_BYTES) != 0)
        return -1;
    return whole(w, read(w->pipe[0], w->block, PAGE_BYTES), PAGE_BYTES);
}

/* More than fits: whoever writes waits for his reader, again and again. */
static void *drain_pipe(void *argument)
{
    struct waiter *w = argument;
    char *bytes = malloc(PAGE_BYTES);
    while (read(w->pipe[0], bytes, PAGE_BYTES) > 0)
        continue;
    free(bytes);
    return NULL;
}

static int block_pipe(struct waiter *w)
{
    return whole(w, write(w->pipe[1], w->block, BLOCK_BYTES), BLOCK_BYTES);
}

static void *feed_socket(void *argument)
{
    struct waiter *w = argument;
    char *bytes = calloc(1, PAGE_BYTES);
    while (send(w->sockets[1], bytes, PAGE_BYTES, MSG_NOSIGNAL) > 0)
        continue;
    free(bytes);
    return NULL;
}

static int block_socket(struct waiter *w)
{
    return whole(
        w, recv(w->sockets[0], w->block, BLOCK_BYTES, MSG_WAITALL),
        BLOCK_BYTES);
}

/* ---- the threads ---- */

static const struct kind kinds[] = {
    {"timed poll", timed_poll, NULL, false},
    {"timed ppoll", timed_ppoll, NULL, false},
    {"timed epoll_wait", timed_epoll_wait, NULL, false},
    {"timed epoll_pwait2", timed_epoll_pwait2, NULL, false},
    {"timed select", timed_select, NULL, false},
    {"timed pselect", timed_pselect, NULL, false},
    {"timed nanosleep", timed_nanosleep, NULL, false},
    {"timed clock_nanosleep", timed_clock_nanosleep, NULL, false},
    {"timed clock_nanosleep until", timed_clock_nanosleep_until, NULL, false},
    {"timed usleep", timed_usleep, NULL, false},
    {"timed sem_wait", timed_sem_wait, NULL, false},
    {"timed sigwait", timed_sigwait, NULL, false},
    {"timed recv", timed_recv, NULL, false},
    {"timed accept", timed_accept, NULL, false},
    {"timed futex", timed_futex, NULL, false},
    {"timed semop", timed_semop, NULL, false},
    {"endless poll", endless_poll, wake_by_byte, false},
    {"endless ppoll", endless_ppoll, wake_by_byte, false},
    {"endless epoll_wait", endless_epoll_wait, wake_by_byte, false},
    {"endless epoll_pwait2", endless_epoll_pwait2, wake_by_byte, false},
    {"endless select", endless_select, wake_by_byte, false},
    {"endless pselect", endless_pselect, wake_by_byte, false},
    {"endless sem_wait", endless_sem_wait, wake_by_post, false},
    {"endless sigwait", endless_sigwait, wake_by_signal, false},
    {"endless recv", endless_recv, wake_by_send, false},
    {"endless accept", endless_accept, wake_by_connect, false},
    {"endless futex", endless_futex, wake_by_futex, false},
    {"endless msgrcv", endless_msgrcv, wake_by_message, false},
    {"endless semop", endless_semop, wake_by_semop, false},
    {"busy epoll_wait", ready_epoll_wait, NULL, true},
    {"busy poll", ready_poll, NULL, true},
    {"busy page by pipe", page_pipe, NULL, true},
    {"busy block by pipe", block_pipe, NULL, true},
    {"busy block by socket", block_socket, NULL, true},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static struct waiter waiters[KINDS];

static void listen_here(struct waiter *w)
{
    w->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    w->address = (struct sockaddr_un){.sun_family = AF_UNIX};
    w->address_bytes = sizeof w->address;
    /* Without a name, the kernel finds one that nobody has. */
    if (bind(
            w->listener, (const struct sockaddr *)&w->address,
            sizeof(sa_family_t)) != 0 ||
        listen(w->listener, 64) != 0 ||
        getsockname(
            w->listener, (struct sockaddr *)&w->address, &w->address_bytes) !=
            0)
        abort();
}

static void prepare(struct waiter *w, const struct kind *kind)
{
    struct epoll_event event = {.events = EPOLLIN};
    struct timeval time = {.tv_usec = limit.tv_nsec / 1000};
    w->kind = kind;
    w->block = calloc(1, BLOCK_BYTES);
    w->messages = w->semaphores = -1;
    if (w->block == NULL || pipe(w->pipe) != 0 ||
        socketpair(AF_UNIX, SOCK_STREAM, 0, w->sockets) != 0 ||
        sem_init(&w->semaphore, 0, 0) != 0)
        abort();
    listen_here(w);
    if (strstr(kind->name, "semop") != NULL)
        w->semaphores = semget(IPC_PRIVATE, 1, 0600);
    if (strstr(kind->name, "msgrcv") != NULL)
        w->messages = msgget(IPC_PRIVATE, 0600);
    w->epoll = epoll_create1(0);
    epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->pipe[0], &event);
    if (kind->wake == NULL && !kind->is_busy) {
        setsockopt(w->sockets[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
        setsockopt(w->listener, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    }
    if (kind->run == ready_epoll_wait || kind->run == ready_poll)
        wake_by_byte(w);
    /* The helpers end with the process. */
    pthread_t helper;
    if (kind->run == block_pipe)
        pthread_create(&helper, NULL, drain_pipe, w);
    if (kind->run == block_socket)
        pthread_create(&helper, NULL, feed_socket, w);
}

/* The kernel counts the limits of sockets in ticks of up to 10 ms. */
static uint64_t slack_of(const struct kind *kind)
{
    bool is_coarse = kind->run == timed_recv || kind->run == timed_accept;
    return is_coarse ? 10 * NS_PER_MS : 0;
}

/* Wait once, and judge it. */
static void wait_once(struct waiter *w)
{
    bool is_timed = w->kind->wake == NULL && !w->kind->is_busy;
    uint64_t waited = is_timed ? thread_wait_ns() : 0;
    uint64_t begin = clock_ns(CLOCK_MONOTONIC);
    errno = 0;
    int result = w->kind->run(w);
    if (is_anew && is_timed)
        result = w->kind->run(w);
    int error = errno;
    uint64_t took = clock_ns(CLOCK_MONOTONIC) - begin;
    w->waits++;
    if (result == -1 && error != EINTR) {
        fprintf(stderr, "%s: %s\n", w->kind->name, strerror(error));
        abort();
    }
    w->interrupted += result == -1;
    if (!is_timed || result == -1)
        return;
    waited = thread_wait_ns() - waited;
    took -= took < waited ? took : waited;
    /* Realtime may be adjusted against monotonic: a part in a thousand. */
    w->early += took + waited + slack_of(w->kind) <
                (uint64_t)limit.tv_nsec * 999 / 1000;
    w->late += took > (uint64_t)limit.tv_nsec / 2 * 3 + slack_of(w->kind);
}

static void *run_waiter(void *argument)
{
    struct waiter *w = argument;
    while (!is_over) {
        wait_once(w);
        if (!w->kind->is_busy)
            burn_ns(30000);
    }
    return NULL;
}

static void on_pest(int number)
{
    (void)number;
}

/* Signals for everybody, some hundred a second, restarting what they can. */
static void begin_pest(void)
{
    struct sigaction action = {.sa_handler = on_pest, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
}

static void pester(void)
{
    for (int i = 0; i < KINDS; i++)
        pthread_kill(waiters[i].thread, SIGALRM);
}

static void wake_all(void)
{
    for (int i = 0; i < KINDS; i++)
        if (kinds[i].wake != NULL)
            kinds[i].wake(&waiters[i]);
}

static void print_counts(void)
{
    printf("{");
    for (int i = 0; i < KINDS; i++)
        printf(
            "%s\"%s\": {\"waits\": %" PRIu64 ", \"interrupted\": %" PRIu64
            ", \"early\": %" PRIu64 ", \"late\": %" PRIu64
            ", \"pieces\": %" PRIu64 "}",
            i > 0 ? ", " : "", kinds[i].name, waiters[i].waits,
            waiters[i].interrupted, waiters[i].early, waiters[i].late,
            waiters[i].pieces);
    printf("}\n");
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 1;
    bool is_pest = argc > 2 && strcmp(argv[2], "pest") == 0;
    is_anew = argc > 2 && strcmp(argv[2], "anew") == 0;
    uint64_t end = clock_ns(CLOCK_MONOTONIC) + (uint64_t)(seconds * 1e9);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, WAKE_SIGNAL);
    sigprocmask(SIG_BLOCK, &set, NULL);
    if (is_pest)
        begin_pest();

    for (int i = 0; i < KINDS; i++)
        prepare(&waiters[i], &kinds[i]);
    for (int i = 0; i < KINDS; i++)
        if (pthread_create(&waiters[i].thread, NULL, run_waiter, &waiters[i]) !=
            0)
            return 1;
    while (clock_ns(CLOCK_MONOTONIC) < end) {
        struct timespec pause = {.tv_nsec = 2 * NS_PER_MS};
        nanosleep(&pause, NULL);
        wake_all();
        if (is_pest) {
            nanosleep(&pause, NULL); /* till they sleep again */
            pester();
        }
    }
    is_over = true;
    /* Who is asleep without a limit is woken until he has seen it. */
    for (int i = 0; i < KINDS; i++) {
        struct timespec soon = {.tv_nsec = 0};
        while (pthread_timedjoin_np(waiters[i].thread, NULL, &soon) != 0) {
            if (kinds[i].wake != NULL)
                kinds[i].wake(&waiters[i]);
            usleep(1000);
        }
        if (waiters[i].semaphores >= 0)
            semctl(waiters[i].semaphores, 0, IPC_RMID);
        if (waiters[i].messages >= 0)
            msgctl(waiters[i].messages, IPC_RMID, NULL);
    }
    print_counts();
    return 0;
}
