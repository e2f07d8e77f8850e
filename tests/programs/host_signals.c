/* Uses SIGTRAP and SIGPROF, and other signals, in every way there is. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "tests/programs/host_case.h"

void (*__sysv_signal(int number, void (*handler)(int)))(int);
int __sigpause(int number_or_mask, int is_number);

static const int both[] = {SIGTRAP, SIGPROF};

static volatile sig_atomic_t seen;
static sigjmp_buf back;

static sigset_t one(int number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    return set;
}

static sigset_t mask_now(void)
{
    sigset_t set;
    sigprocmask(SIG_BLOCK, NULL, &set);
    return set;
}

static void print_mask(const char *where)
{
    sigset_t set = mask_now();
    printf("%s:", where);
    for (int number = 1; number < NSIG; number++) {
        if (sigismember(&set, number) == 1)
            printf(" %d", number);
    }
    printf("\n");
}

static void install(int number, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigaddset(&action.sa_mask, SIGUSR1);
    sigaction(number, &action, NULL);
}

static void count(int number)
{
    (void)number;
    seen++;
}

/* ---- the handler's own surroundings ---- */

static void print_surroundings(int number, siginfo_t *info, void *context)
{
    char here;
    stack_t alternate;
    ucontext_t *interrupted = context;
    sigaltstack(NULL, &alternate);
    print_mask("in the handler");
    printf(
        "signal %d %d code %d, own pid %d, value %d, alternate %d, "
        "interrupted mask holds SIGUSR2 %d, mxcsr %x\n",
        number, info->si_signo, info->si_code, info->si_pid == getpid(),
        info->si_code == SI_QUEUE ? info->si_value.sival_int : 0,
        (uintptr_t)&here - (uintptr_t)alternate.ss_sp < alternate.ss_size,
        sigismember(&interrupted->uc_sigmask, SIGUSR2),
        __builtin_ia32_stmxcsr());
    seen++;
}

static void handler_surroundings(void)
{
    static const int flags[] = {
        SA_SIGINFO, SA_SIGINFO | SA_ONSTACK, SA_SIGINFO | SA_NODEFER,
        SA_SIGINFO | SA_ONSTACK | (int)SA_RESETHAND};
    stack_t alternate = {.ss_size = 65536, .ss_sp = malloc(65536)};
    sigaltstack(&alternate, NULL);
    sigset_t usr2 = one(SIGUSR2);
    sigprocmask(SIG_BLOCK, &usr2, NULL);
    __builtin_ia32_ldmxcsr(0x1f80 | 0x6000); /* round to zero */
    for (size_t i = 0; i < 8; i++) {
        struct sigaction action = {.sa_flags = flags[i / 2]}, after;
        action.sa_sigaction = print_surroundings;
        sigaddset(&action.sa_mask, SIGUSR1);
        sigaction(both[i % 2], &action, NULL);
        burn_ns(BRIEFLY / 8);
        raise(both[i % 2]);
        if (i < 6) /* else a second one is deadly */
            sigqueue(getpid(), both[i % 2], (union sigval){.sival_int = 7});
        if (both[i % 2] == SIGTRAP && i < 6)
            __asm__ volatile("int3");
        print_mask("after");
        sigaction(both[i % 2], NULL, &after);
        printf(
            "flags %x, %s, mxcsr %x\n", after.sa_flags,
            after.sa_handler == SIG_DFL ? "reset" : "kept",
            __builtin_ia32_stmxcsr());
    }
}

/* Registers, the red zone and floating point survive. */
static void interrupted_state(void)
{
    double sum = 0, expected = 0;
    uint64_t a = 1, b = 1;
    install(SIGTRAP, count, 0);
    for (int i = 0; i < 200000; i++) {
        sum += 1.0 / (i + 1);
        a = a * 6364136223846793005u + (uint64_t)i;
        if (i % 100 == 0)
            __asm__ volatile("int3");
    }
    for (int i = 0; i < 200000; i++) {
        expected += 1.0 / (i + 1);
        b = b * 6364136223846793005u + (uint64_t)i;
    }
    printf("%d traps, %d %d\n", (int)seen, sum == expected, a == b);
}

/* ---- leaving by jumps ---- */

static void jump(int number)
{
    siglongjmp(back, number);
}

static void jump_out(void)
{
    static const int numbers[] = {SIGTRAP, SIGPROF, SIGALRM, SIGUSR1};
    for (volatile int saves = 0; saves < 2; saves++) {
        for (volatile int i = 0; i < 4; i++) {
            install(numbers[i], jump, 0);
            for (volatile int turn = 0; turn < 20; turn++) {
                if (sigsetjmp(back, saves) == 0)
                    raise(numbers[i]);
                else
                    seen++;
                burn_ns(NS_PER_MS);
                if (turn == 0)
                    print_mask("after the jump");
                sigset_t none;
                sigemptyset(&none);
                sigprocmask(SIG_SETMASK, &none, NULL);
            }
        }
    }
    printf("%d jumps\n", (int)seen);
}

static void jump_out_of_busy_code(void)
{
    struct itimerval timer = {{0, 1000}, {0, 1000}};
    install(SIGALRM, jump, 0);
    if (sigsetjmp(back, 1) != 0)
        seen++;
    setitimer(ITIMER_REAL, &timer, NULL);
    while (seen < 200) {
        if (sigsetjmp(back, 1) == 0)
            for (;;)
                stir(1);
        seen++;
    }
    signal(SIGALRM, SIG_IGN); /* until here, one more may jump back */
    printf("%s\n", seen >= 200 ? "all jumps" : "some missed");
}

/* A runtime that finds null pointers by SIGSEGV. */
static void null_checks(void)
{
    static const int numbers[] = {SIGSEGV, SIGFPE, SIGILL};
    for (size_t i = 0; i < 3; i++)
        install(numbers[i], jump, SA_NODEFER | SA_ONSTACK);
    int *volatile nowhere = NULL;
    uint64_t end_ns = thread_cpu_ns() + 5 * BRIEFLY;
    volatile int tries = 0, found = 0;
    while (thread_cpu_ns() < end_ns || tries < 1000) {
        tries++;
        if (sigsetjmp(back, 1) == 0)
            *nowhere = 1;
        else
            found++;
    }
    printf("%s\n", tries == found ? "every null pointer found" : "some missed");
}

/* ---- masks and waits ---- */

static void mask_names(void)
{
    for (size_t i = 0; i < 2; i++) {
        int number = both[i];
        install(number, count, 0);
        seen = 0;
        sighold(number);
        burn_ns(BRIEFLY / 4);
        raise(number);
        print_mask("held");
        printf("%d seen\n", (int)seen);
        sigrelse(number);
        printf("%d seen\n", (int)seen);

        printf("sigset %d\n", sigset(number, SIG_HOLD) == count);
        raise(number);
        printf(
            "%d seen, hold %d\n", (int)seen, sigset(number, count) == SIG_HOLD);
        printf("%d seen\n", (int)seen);

        int before = sigblock((int)(1u << (number - 1)));
        raise(number);
        printf("%x %x %d seen\n", before, siggetmask(), (int)seen);
        printf("%x\n", sigsetmask(0));
        printf("%d seen\n", (int)seen);

        sighold(number);
        raise(number);
        printf("pause %d %d\n", sigpause(number), errno);
        raise(number);
        printf("pause %d %d\n", __sigpause(0, 0), errno);
        printf("%d seen\n", (int)seen);
        print_mask("after pauses");
        sigrelse(number);

        struct sigaction action;
        siginterrupt(number, 1);
        sigaction(number, NULL, &action);
        printf("interrupts %x\n", action.sa_flags);
        signal(number, count);
        sigaction(number, NULL, &action);
        printf(
            "signal() %x %d\n", action.sa_flags,
            sigismember(&action.sa_mask, number));
        siginterrupt(number, 0);
        signal(number, count);
        sigaction(number, NULL, &action);
        printf("signal() %x\n", action.sa_flags);
        printf(
            "%d %d\n", sigset(number, SIG_IGN) == count,
            signal(number, SIG_DFL) == SIG_IGN);
        printf("%d %d\n", sigaction(99, &action, NULL), errno);
        printf("%d %d\n", signal(0, SIG_DFL) == SIG_ERR, errno);
    }
}

/* Blocked everywhere but while waiting. */
static void waits_with_a_mask(void)
{
    struct timespec second = {.tv_sec = 20};
    int epoll = epoll_create1(0);
    struct epoll_event event;
    for (size_t i = 0; i < 2; i++) {
        sigset_t ours = one(both[i]), none;
        sigemptyset(&none);
        install(both[i], count, 0);
        sigprocmask(SIG_BLOCK, &ours, NULL);
        for (int way = 0; way < 5; way++) {
            int result = 0;
            seen = 0;
            burn_ns(BRIEFLY / 8);
            kill(getpid(), both[i]);
            printf("before %d\n", (int)seen);
            if (way == 0)
                result = sigsuspend(&none);
            else if (way == 1)
                result = ppoll(NULL, 0, &second, &none);
            else if (way == 2)
                result = pselect(0, NULL, NULL, NULL, &second, &none);
            else if (way == 3)
                result = epoll_pwait(epoll, &event, 1, 20000, &none);
            else
                result = epoll_pwait2(epoll, &event, 1, &second, &none);
            printf("way %d: %d %d, seen %d\n", way, result, errno, (int)seen);
            print_mask("after");
        }
        sigprocmask(SIG_UNBLOCK, &ours, NULL);
    }
}

static void taking_signals(void)
{
    siginfo_t info;
    int number = 0;
    struct timespec soon = {.tv_nsec = 50000000};
    for (size_t i = 0; i < 2; i++) {
        sigset_t ours = one(both[i]), pending;
        sigprocmask(SIG_BLOCK, &ours, NULL);
        for (int turn = 0; turn < 3; turn++) {
            burn_ns(BRIEFLY / 4);
            kill(getpid(), both[i]);
            sigpending(&pending);
            printf("pending %d\n", sigismember(&pending, both[i]));
            printf("sigwait %d", sigwait(&ours, &number));
            printf(" %d\n", number);
            sigqueue(getpid(), both[i], (union sigval){.sival_int = 5});
            number = sigwaitinfo(&ours, &info);
            printf(
                "%d code %d value %d\n", number, info.si_code,
                info.si_value.sival_int);
            burn_ns(BRIEFLY / 4);
            number = sigtimedwait(&ours, &info, &soon);
            printf("%d %d\n", number, number < 0 ? errno : 0);
        }
        sigprocmask(SIG_UNBLOCK, &ours, NULL);
    }
}

static void reading_signals(void)
{
    for (size_t i = 0; i < 2; i++) {
        sigset_t ours = one(both[i]);
        struct signalfd_siginfo info;
        sigprocmask(SIG_BLOCK, &ours, NULL);
        int fd = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
        for (int turn = 0; turn < 20; turn++) {
            burn_ns(BRIEFLY / 8);
            if (turn % 5 == 4)
                kill(getpid(), both[i]);
            struct pollfd wait = {.fd = fd, .events = POLLIN};
            int ready = poll(&wait, 1, turn % 5 == 4 ? 20000 : 0);
            printf("ready %d", ready);
            if (read(fd, &info, sizeof info) == (ssize_t)sizeof info)
                printf(" signal %d code %d", info.ssi_signo, info.ssi_code);
            printf("\n");
        }
        close(fd);
        sigprocmask(SIG_UNBLOCK, &ours, NULL);
    }
}

static void *take_in_a_thread(void *set)
{
    int number = 0;
    for (int i = 0; i < 5; i++) {
        sigwait(set, &number);
        printf("thread took %d\n", number);
        seen = i + 1;
    }
    return NULL;
}

/* All blocked in all threads, and one that waits for all: a common pattern. */
static void signal_thread(void)
{
    static sigset_t all;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    pthread_create(&thread, NULL, take_in_a_thread, &all);
    for (int i = 0; i < 5; i++) {
        static const int numbers[] = {
            SIGUSR1, SIGPROF, SIGTRAP, SIGTERM, SIGPROF};
        burn_ns(BRIEFLY / 4);
        kill(getpid(), numbers[i]);
        while (seen <= i)
            burn_ns(NS_PER_MS / 4);
    }
    pthread_join(thread, NULL);
}

static void *print_own_mask(void *where)
{
    burn_ns(BRIEFLY / 2);
    print_mask(where);
    return NULL;
}

static void masks_of_threads(void)
{
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t set = one(SIGPROF);
    pthread_create(&thread, NULL, print_own_mask, (void *)"open");
    pthread_join(thread, NULL);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    pthread_create(&thread, NULL, print_own_mask, (void *)"inherited");
    pthread_join(thread, NULL);
    pthread_attr_init(&attributes);
    sigaddset(&set, SIGTRAP);
    pthread_attr_setsigmask_np(&attributes, &set);
    pthread_create(&thread, &attributes, print_own_mask, (void *)"given");
    pthread_join(thread, NULL);
}

/* ---- timers ---- */

static void wait_for_signals(int wanted)
{
    uint64_t end_ns = thread_cpu_ns() + 20 * NS_PER_SECOND;
    while (seen < wanted && thread_cpu_ns() < end_ns)
        stir(1);
    printf("%s\n", seen >= wanted ? "came" : "did not come");
}

static void own_timers(void)
{
    struct itimerval interval = {{0, 10000}, {0, 10000}}, now;
    install(SIGPROF, count, SA_RESTART);
    install(SIGTRAP, count, SA_RESTART);
    setitimer(ITIMER_PROF, &interval, NULL);
    wait_for_signals(5);
    getitimer(ITIMER_PROF, &now);
    printf("interval %ld\n", (long)now.it_interval.tv_usec);
    now.it_value.tv_usec = now.it_interval.tv_usec = 0;
    now.it_value.tv_sec = 0;
    setitimer(ITIMER_PROF, &now, NULL);

    static const clockid_t clocks[] = {
        CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
    for (size_t i = 0; i < 6; i++) {
        struct sigevent event = {
            .sigev_notify = SIGEV_SIGNAL, .sigev_signo = both[i % 2]};
        struct itimerspec spec = {{0, 10000000}, {0, 10000000}};
        timer_t timer;
        seen = 0;
        printf("create %d\n", timer_create(clocks[i / 2], &event, &timer));
        timer_settime(timer, 0, &spec, NULL);
        wait_for_signals(5);
        timer_delete(timer);
    }
}

/* A handler without SA_RESTART is there to interrupt. */
static void interrupting_handlers(void)
{
    int pipe_fds[2];
    char byte;
    if (pipe(pipe_fds) != 0)
        return;
    for (size_t i = 0; i < 4; i++) {
        struct sigevent event = {
            .sigev_notify = SIGEV_SIGNAL, .sigev_signo = both[i % 2]};
        /* Where it comes before the read, another one interrupts that. */
        struct itimerspec spec = {
            .it_value = {0, 30000000}, .it_interval = {0, 30000000}};
        timer_t timer;
        install(both[i % 2], count, i < 2 ? 0 : SA_RESTART);
        timer_create(CLOCK_MONOTONIC, &event, &timer);
        burn_ns(BRIEFLY / 4);
        seen = 0;
        timer_settime(timer, 0, &spec, NULL);
        pid_t child = i < 2 ? -1 : fork();
        if (child == 0) {
            usleep(100000);
            _exit(write(pipe_fds[1], "x", 1) != 1);
        }
        ssize_t got = read(pipe_fds[0], &byte, 1);
        int error = got < 0 ? errno : 0;
        timer_delete(timer);
        printf("read %d %d, seen %d\n", (int)got, error, seen > 0);
        if (child > 0)
            waitpid(child, NULL, 0);
    }
}

/* ---- deaths ---- */

static void print_death(const char *how, pid_t child)
{
    int status = 0;
    waitpid(child, &status, 0);
    printf(
        "%s: %s %d\n", how, WIFSIGNALED(status) ? "signal" : "status",
        WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static void die_in_every_way(void)
{
    for (int way = 0; way < 9; way++) {
        pid_t child = fork();
        if (child == 0) {
            sigset_t trap = one(SIGTRAP);
            burn_ns(BRIEFLY / 4);
            if (way == 0)
                raise(SIGPROF);
            else if (way == 1)
                raise(SIGTRAP);
            else if (way == 2)
                __asm__ volatile("int3");
            else if (way == 3) {
                signal(SIGTRAP, SIG_IGN);
                raise(SIGTRAP);
                __asm__ volatile("int3");
            } else if (way == 4) {
                install(SIGTRAP, count, 0);
                sigprocmask(SIG_BLOCK, &trap, NULL);
                __asm__ volatile("int3");
            } else if (way == 5) {
                signal(SIGPROF, SIG_IGN);
                raise(SIGPROF);
            } else if (way == 6)
                abort();
            else if (way == 7) {
                install(SIGTRAP, count, (int)SA_RESETHAND);
                __asm__ volatile("int3");
                __asm__ volatile("int3");
            } else
                *(volatile int *)NULL = 1;
            _exit(33);
        }
        char how[] = "way 0";
        how[4] = (char)('0' + way);
        print_death(how, child);
    }
}

static void leave(int number)
{
    printf("leaving in handler %d\n", number);
    exit(21);
}

static void exit_in_a_handler(void)
{
    for (size_t i = 0; i < 3; i++) {
        static const int numbers[] = {SIGALRM, SIGPROF, SIGTRAP};
        pid_t child = fork();
        if (child == 0) {
            install(numbers[i], leave, 0);
            burn_ns(BRIEFLY / 4);
            raise(numbers[i]);
        }
        print_death("exit", child);
    }
}

/* What sigaction() tells is what it was told. */
static void read_back(void)
{
    for (size_t i = 0; i < 3; i++) {
        static const int numbers[] = {SIGUSR1, SIGPROF, SIGTRAP};
        struct sigaction action = {.sa_handler = count}, now;
        action.sa_flags = SA_RESTART | SA_NOCLDSTOP | SA_ONSTACK;
        sigaddset(&action.sa_mask, SIGHUP);
        sigaddset(&action.sa_mask, SIGPROF);
        sigaction(numbers[i], NULL, &now);
        printf(
            "%d %x %d\n", now.sa_handler == SIG_DFL, now.sa_flags,
            now.sa_restorer != NULL);
        sigaction(numbers[i], &action, NULL);
        burn_ns(BRIEFLY / 4);
        sigaction(numbers[i], NULL, &now);
        printf(
            "%d %x %d", now.sa_handler == count, now.sa_flags,
            now.sa_restorer != NULL);
        for (int number = 1; number < NSIG; number++) {
            if (sigismember(&now.sa_mask, number))
                printf(" %d", number);
        }
        printf("\n");
    }
}

static void as_started(void)
{
    burn_ns(BRIEFLY);
    print_mask("mask");
    for (int number = 1; number < NSIG; number++) {
        struct sigaction now;
        if (sigaction(number, NULL, &now) == 0 && now.sa_handler != SIG_DFL)
            printf(
                "%d %s\n", number,
                now.sa_handler == SIG_IGN ? "ignored" : "handled");
    }
    raise(SIGWINCH);
    if (sigismember(&(sigset_t[]){mask_now()}[0], SIGPROF)) {
        install(SIGPROF, count, 0);
        raise(SIGPROF);
        sigset_t ours = one(SIGPROF);
        printf("%d seen\n", (int)seen);
        sigprocmask(SIG_UNBLOCK, &ours, NULL);
        printf("%d seen\n", (int)seen);
    }
}

int main(int argc, char **argv)
{
    static const struct host_case cases[] = {
        {"as_started", as_started},
        {"die_in_every_way", die_in_every_way},
        {"exit_in_a_handler", exit_in_a_handler},
        {"handler_surroundings", handler_surroundings},
        {"interrupted_state", interrupted_state},
        {"interrupting_handlers", interrupting_handlers},
        {"jump_out", jump_out},
        {"jump_out_of_busy_code", jump_out_of_busy_code},
        {"mask_names", mask_names},
        {"masks_of_threads", masks_of_threads},
        {"null_checks", null_checks},
        {"own_timers", own_timers},
        {"read_back", read_back},
        {"reading_signals", reading_signals},
        {"signal_thread", signal_thread},
        {"taking_signals", taking_signals},
        {"waits_with_a_mask", waits_with_a_mask},
    };
    return HOST_CASES(cases, argc, argv);
}
