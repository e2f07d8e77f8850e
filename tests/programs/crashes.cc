/*
 * Many ways to crash, and some that only look so: crashes CASE. Without one,
 * lists them on standard error.
 *
 * The function in which it happens is called at_fault, wherever that can be,
 * and its caller is the case's own: what a stack should begin with.
 */
#include <assert.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <new>
#include <stdexcept>
#include <string>

#define APART __attribute__((noinline, noclone))

/* Keeps a call from being the last thing, which would be a jump. */
static volatile int ballast;
#define STAY (void)(ballast = ballast + 1)

/* Volatile, so that the compiler does not see where they point. */
static int *volatile nowhere = nullptr;
typedef void function();
static function *volatile no_function = nullptr;

APART void at_fault()
{
    *nowhere = 1;
    STAY;
}

/* ---- where it happens ---- */

APART void null_write()
{
    at_fault();
    STAY;
}

APART void null_call()
{
    no_function();
    STAY;
}

APART void jump_unmapped()
{
    no_function = reinterpret_cast<function *>(0x123456789000);
    no_function();
    STAY;
}

/* Not canonical: the call itself faults. */
APART void jump_wild()
{
    no_function = reinterpret_cast<function *>(0x4141414141414141);
    no_function();
    STAY;
}

APART void jump_to_data()
{
    no_function =
        reinterpret_cast<function *>(reinterpret_cast<uintptr_t>(&ballast));
    no_function();
    STAY;
}

static volatile int zero = 0;

APART void divide()
{
    ballast = 100 / zero;
    STAY;
}

APART void illegal()
{
    __asm__ volatile("ud2");
    STAY;
}

APART void trap()
{
    __asm__ volatile("int3");
    STAY;
}

APART int recurse(int depth)
{
    volatile char room[512];
    room[0] = static_cast<char>(depth);
    int result = recurse(depth + 1);
    return result + room[0];
}

APART void overflow()
{
    ballast = recurse(0);
    STAY;
}

static void *run_case(void *way)
{
    reinterpret_cast<function *>(way)();
    return nullptr;
}

APART void in_thread(function *way)
{
    pthread_t thread;
    (void)pthread_create(
        &thread, nullptr, run_case, reinterpret_cast<void *>(way));
    (void)pthread_join(thread, nullptr);
}

static void thread_overflow()
{
    in_thread(overflow);
}

static void thread_write()
{
    in_thread(null_write);
}

/* A file that is shorter than what is mapped of it. */
APART void bus_error()
{
    int fd = memfd_create("short", 0);
    (void)!ftruncate(fd, 4096);
    void *memory = mmap(nullptr, 8192, PROT_READ, MAP_SHARED, fd, 0);
    (void)!ftruncate(fd, 0);
    ballast = *static_cast<volatile int *>(memory);
    STAY;
}

APART void forbidden_call()
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpgid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void)prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
    ballast = getpgid(0);
    STAY;
}

/* The same where no call may be made that is not the program's own. */
static void close_off()
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 5, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 4, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigprocmask, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_gettime, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpid, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void)prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

APART void sandboxed()
{
    close_off();
    at_fault();
    STAY;
}

/* ---- what aborts ---- */

APART void aborts()
{
    abort();
}

APART void fails_assertion()
{
    assert(ballast == 42);
    STAY;
}

APART void double_free()
{
    char *volatile memory = static_cast<char *>(malloc(100));
    free(memory);
    free(memory);
    STAY;
}

APART void bad_free()
{
    char *volatile memory = static_cast<char *>(malloc(100));
    char *volatile inside = memory + 24;
    free(inside);
    STAY;
}

APART void smash(volatile char *room, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        room[i] = 0x41;
}

/* Write over what malloc() keeps beside its blocks, then have it look. */
APART void smashed_heap()
{
    char *volatile first = static_cast<char *>(malloc(2000));
    char *volatile second = static_cast<char *>(malloc(2000));
    smash(first, 2100);
    free(second);
    STAY;
}

__attribute__((noinline, noclone, optimize("stack-protector-all"))) void
smashed_guard()
{
    volatile char room[16];
    smash(room, 64);
    STAY;
}

/* No guard sees it: it returns to where the garbage says. */
__attribute__((noinline, noclone, optimize("no-stack-protector"))) void
smashed_stack()
{
    volatile char room[16];
    smash(room, 256);
    STAY;
}

/* The stack pointer itself is garbage. */
APART void lost_stack()
{
    __asm__ volatile("movabsq $0x4141414141410, %%rsp\n\tpushq %%rax" ::
                         : "memory");
    STAY;
}

APART void throws_error()
{
    throw std::runtime_error("the disk is on fire");
}

APART void throws_int()
{
    throw 42;
}

struct own_error : std::exception {
    std::string text = "its own words";
    const char *what() const noexcept override
    {
        return text.c_str();
    }
};

struct plain_error : std::exception {
    const char *what() const noexcept override
    {
        return "always the same";
    }
};

APART void throws_own()
{
    throw own_error();
}

APART void throws_plain()
{
    throw plain_error();
}

APART void throws_bad_alloc()
{
    throw std::bad_alloc();
}

APART void throw_in_noexcept() noexcept
{
    throws_error();
}

struct base {
    base()
    {
        call();
    }
    virtual ~base() = default;
    APART void call()
    {
        method();
        STAY;
    }
    virtual void method() = 0;
};

struct derived : base {
    void method() override
    {
        STAY;
    }
};

APART void pure_virtual()
{
    derived made;
    STAY;
}

/* ---- surroundings ---- */

static void set(int number, void (*handler)(int, siginfo_t *, void *), int more)
{
    struct sigaction action = {};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | more;
    (void)sigaction(number, &action, nullptr);
}

static void handle_by_exit(int, siginfo_t *, void *)
{
    _exit(7);
}

/* Set back by the kernel; the fault happens again. */
static void handle_once(int, siginfo_t *info, void *)
{
    (void)!write(
        STDOUT_FILENO, info->si_addr == nullptr ? "null\n" : "else\n", 5);
}

static void handle_by_crashing(int)
{
    null_write();
}

static void block_all()
{
    sigset_t all;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, nullptr);
}

static void *blocked_write(void *)
{
    block_all();
    null_write();
    return nullptr;
}

/* As servers' workers do, which leave signals to one thread. */
static void blocked()
{
    pthread_t thread;
    set(SIGSEGV, handle_by_exit, 0);
    (void)pthread_create(&thread, nullptr, blocked_write, nullptr);
    (void)pthread_join(thread, nullptr);
}

/* One that is only sent waits, and can be taken, or let in. */
static void blocked_sent()
{
    sigset_t one, now;
    int number = 0;
    set(SIGSEGV, handle_once, 0);
    block_all();
    (void)sigemptyset(&one);
    (void)sigaddset(&one, SIGSEGV);
    (void)raise(SIGSEGV);
    (void)kill(getpid(), SIGBUS);
    (void)sigpending(&now);
    (void)printf(
        "pending %d %d\n", sigismember(&now, SIGSEGV),
        sigismember(&now, SIGBUS));
    (void)sigwait(&one, &number);
    (void)pthread_sigmask(SIG_BLOCK, nullptr, &now);
    (void)printf("took %d, blocked %d\n", number, sigismember(&now, SIGSEGV));
    (void)fflush(stdout);
    (void)raise(SIGSEGV);
    (void)pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
    (void)sigaddset(&one, SIGBUS);
    (void)pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
}

static void in_handler()
{
    (void)signal(SIGUSR1, handle_by_crashing);
    (void)raise(SIGUSR1);
}

/* A parent that ends as its child did. */
static void end_like(int status)
{
    if (WIFSIGNALED(status))
        exit(WTERMSIG(status));
    exit(99);
}

static void in_fork()
{
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        null_write();
    (void)waitpid(child, &status, 0);
    end_like(status);
}

static void in_vfork()
{
    int status = 0;
    pid_t child = vfork();
    if (child == 0) {
        null_write();
        _exit(0);
    }
    (void)waitpid(child, &status, 0);
    end_like(status);
}

static volatile bool is_held;

static void *hold_malloc(void *)
{
    for (;; is_held = true)
        free(malloc(100000));
}

/* The crash comes while another thread is in malloc(), over and over. */
static void beside_malloc()
{
    pthread_t thread;
    (void)pthread_create(&thread, nullptr, hold_malloc, nullptr);
    while (!is_held)
        (void)usleep(1000);
    null_write();
}

static void at_exit()
{
    (void)atexit(null_write);
    exit(0);
}

static char alternate[65536];

static void handle_on_alternate(int)
{
    null_write();
}

static void on_alternate()
{
    stack_t stack = {};
    stack.ss_sp = alternate;
    stack.ss_size = sizeof alternate;
    struct sigaction action = {};
    action.sa_handler = handle_on_alternate;
    action.sa_flags = SA_ONSTACK;
    (void)sigaltstack(&stack, nullptr);
    (void)sigaction(SIGUSR1, &action, nullptr);
    (void)raise(SIGUSR1);
}

static ucontext_t outer, fiber;
static char fiber_stack[65536];

static void on_fiber()
{
    (void)getcontext(&fiber);
    fiber.uc_stack.ss_sp = fiber_stack;
    fiber.uc_stack.ss_size = sizeof fiber_stack;
    fiber.uc_link = &outer;
    makecontext(&fiber, null_write, 0);
    (void)swapcontext(&outer, &fiber);
}

APART void *load(const char *way)
{
    (void)setenv("CRASHES_LIBRARY", way, 1);
    return dlopen(CRASHES_LIBRARY, RTLD_NOW);
}

static void in_constructor()
{
    (void)load("constructor");
}

APART void in_closed()
{
    void *library = load("");
    no_function =
        reinterpret_cast<function *>(dlsym(library, "crashes_library_work"));
    (void)dlclose(library);
    no_function();
    STAY;
}

/* ---- handlers of its own ---- */

static void handler_exits()
{
    set(SIGSEGV, handle_by_exit, 0);
    null_write();
}

/* As crash reporters do: say a word, then die of what it was. */
static void handle_by_raising(int number, siginfo_t *, void *)
{
    (void)!write(STDOUT_FILENO, "caught\n", 7);
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

static void handler_raises()
{
    set(SIGSEGV, handle_by_raising, SA_NODEFER);
    null_write();
}

static void handler_returns()
{
    set(SIGSEGV, handle_once, static_cast<int>(SA_RESETHAND));
    null_write();
}

static void handle_by_aborting(int, siginfo_t *, void *)
{
    abort();
}

static void handler_aborts()
{
    set(SIGSEGV, handle_by_aborting, 0);
    null_write();
}

static void handler_crashes()
{
    (void)signal(SIGSEGV, handle_by_crashing);
    null_write();
}

static void overflow_with_handler()
{
    set(SIGSEGV, handle_by_exit, 0);
    overflow();
}

static void overflow_on_alternate()
{
    stack_t stack = {};
    stack.ss_sp = alternate;
    stack.ss_size = sizeof alternate;
    (void)sigaltstack(&stack, nullptr);
    set(SIGSEGV, handle_by_exit, SA_ONSTACK);
    overflow();
}

/* By whoever knows nothing of libc, as runtimes do: rt_sigaction(2). */
extern "C" void crashes_restore();
__asm__("crashes_restore: movq $15, %rax\n\tsyscall");

static void set_raw(int number, void (*handler)(int))
{
    enum : unsigned long { HAS_RESTORER = 0x04000000 };
    struct {
        void (*handler)(int);
        unsigned long flags;
        void (*restorer)();
        unsigned long mask;
    } action = {handler, HAS_RESTORER | SA_NODEFER, crashes_restore, 0};
    (void)syscall(SYS_rt_sigaction, number, &action, nullptr, 8);
}

static void handle_raw_by_exit(int)
{
    _exit(7);
}

static void raw_handler_exits()
{
    set_raw(SIGSEGV, handle_raw_by_exit);
    null_write();
}

static void handle_raw_by_raising(int number)
{
    set_raw(number, SIG_DFL);
    (void)raise(number);
}

static void raw_handler_raises()
{
    set_raw(SIGSEGV, handle_raw_by_raising);
    null_write();
}

static void *page;

static void handle_by_mending(int, siginfo_t *, void *)
{
    (void)mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

static void recover_by_mending()
{
    page = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    set(SIGSEGV, handle_by_mending, 0);
    for (int i = 0; i < 1000; i++) {
        (void)mprotect(page, 4096, PROT_NONE);
        *static_cast<volatile int *>(page) = i;
    }
    (void)printf("%d\n", *static_cast<volatile int *>(page));
}

/*
 * As Go does it: asks the kernel for an alternate stack, sets one only where
 * there is none, and depends on handlers running there, for what it runs on are
 * small stacks of its own.
 */
static stack_t believed;
static int handled_there;

static void handle_there(int number, siginfo_t *, void *)
{
    uintptr_t here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
    handled_there +=
        here - reinterpret_cast<uintptr_t>(believed.ss_sp) < believed.ss_size;
    if (number == SIGSEGV)
        (void)mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

static void fault_and_raise()
{
    for (int i = 0; i < 100; i++) {
        (void)mprotect(page, 4096, PROT_NONE);
        *static_cast<volatile int *>(page) = i;
        (void)raise(SIGUSR1);
    }
}

static void recover_on_raw_alternate()
{
    (void)syscall(SYS_sigaltstack, nullptr, &believed);
    if (believed.ss_flags & SS_DISABLE) {
        believed = {};
        believed.ss_sp = alternate;
        believed.ss_size = sizeof alternate;
        (void)syscall(SYS_sigaltstack, &believed, nullptr);
    }
    page = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    set(SIGSEGV, handle_there, SA_ONSTACK);
    set(SIGUSR1, handle_there, SA_ONSTACK);
    (void)getcontext(&fiber);
    fiber.uc_stack.ss_sp = fiber_stack;
    fiber.uc_stack.ss_size = sizeof fiber_stack;
    fiber.uc_link = &outer;
    makecontext(&fiber, fault_and_raise, 0);
    (void)swapcontext(&outer, &fiber);
    (void)printf("%d\n", handled_there);
}

static sigjmp_buf back;

static void handle_by_jumping(int, siginfo_t *, void *)
{
    siglongjmp(back, 1);
}

static void recover_by_jumping()
{
    set(SIGSEGV, handle_by_jumping, 0);
    static volatile int count;
    for (count = 0; count < 1000; count = count + 1) {
        if (sigsetjmp(back, 1) == 0)
            at_fault();
    }
    (void)printf("%d\n", static_cast<int>(count));
    _exit(3);
}

static void killed_from_outside()
{
    for (;;)
        (void)pause();
}

/*
 * A second thread that would end the process in good order, once it sees the
 * first one wait in its crash: nobody does, but for who watches.
 */
static void *exit_soon(void *)
{
    char path[64], text[16];
    (void)snprintf(path, sizeof path, "/proc/self/task/%d/syscall", getpid());
    for (;;) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t bytes = read(fd, text, sizeof text - 1);
        (void)close(fd);
        text[bytes > 0 ? bytes : 0] = '\0';
        if (atoi(text) == SYS_ppoll)
            exit(0);
    }
}

static void beside_exit()
{
    pthread_t thread;
    (void)pthread_create(&thread, nullptr, exit_soon, nullptr);
    (void)usleep(20000);
    null_write();
}

/* More than its control group may have. */
APART void hoards()
{
    enum { PART = 1 << 20, PARTS = 512 };
    for (int i = 0; i < PARTS; i++)
        smash(static_cast<volatile char *>(malloc(PART)), PART);
}

static void exits()
{
    exit(5);
}

static void kills_itself()
{
    (void)kill(getpid(), SIGKILL);
}

/* A child whose status nobody asks for: the kernel forgets it at once. */
static void kills_unwaited()
{
    (void)signal(SIGCHLD, SIG_IGN);
    pid_t child = fork();
    if (child == 0)
        (void)kill(getpid(), SIGKILL);
    (void)waitpid(child, nullptr, 0);
}

/* ---- when little is left ---- */

static void closed()
{
    (void)close_range(0, ~0U, 0);
    null_write();
}

static void without_addresses()
{
    const struct rlimit none = {1 << 20, 1 << 20};
    (void)setrlimit(RLIMIT_AS, &none);
    null_write();
}

/* Before main(), and before what libraries have begun is all there. */
__attribute__((constructor)) static void before_main(int count, char **words)
{
    if (count > 1 && strcmp(words[1], "before_main") == 0)
        null_write();
}

/* ---- at once ---- */

enum { AT_ONCE = 8 };

static pthread_barrier_t together;

static void *write_together(void *)
{
    (void)pthread_barrier_wait(&together);
    null_write();
    return nullptr;
}

static void threads_at_once()
{
    pthread_t threads[AT_ONCE];
    (void)pthread_barrier_init(&together, nullptr, AT_ONCE);
    for (auto &thread : threads)
        (void)pthread_create(&thread, nullptr, write_together, nullptr);
    for (auto &thread : threads)
        (void)pthread_join(thread, nullptr);
}

static void processes_at_once()
{
    int ends[2] = {}, status = 0;
    char byte;
    (void)pipe(ends);
    for (int i = 0; i < AT_ONCE; i++) {
        if (fork() == 0) {
            (void)close(ends[1]);
            (void)!read(ends[0], &byte, 1); /* until the parent closes it */
            null_write();
        }
    }
    (void)close(ends[1]);
    for (int i = 0; i < AT_ONCE; i++) {
        (void)wait(&status);
        (void)printf("%d\n", WIFSIGNALED(status) ? WTERMSIG(status) : -1);
    }
}

/* ---- services ---- */

/* Its first process ends at once, in good order. */
static void as_daemon()
{
    pid_t parent = getpid();
    if (fork() != 0)
        return;
    (void)setsid();
    while (getppid() == parent)
        (void)usleep(1000);
    null_write();
}

/* A worker crashes, another one takes its place. */
static void as_worker()
{
    for (int i = 0; i < 2; i++) {
        pid_t child = fork();
        if (child == 0 && i == 0)
            null_write();
        if (child == 0)
            _exit(0);
        (void)waitpid(child, nullptr, 0);
    }
}

static const struct {
    const char *name;
    function *run;
} cases[] = {
#define CASE(name)                                                             \
    {                                                                          \
#name, name                                                            \
    }
    CASE(null_write),
    CASE(null_call),
    CASE(jump_unmapped),
    CASE(jump_wild),
    CASE(jump_to_data),
    CASE(divide),
    CASE(illegal),
    CASE(trap),
    CASE(overflow),
    CASE(thread_overflow),
    CASE(thread_write),
    CASE(bus_error),
    CASE(forbidden_call),
    CASE(sandboxed),
    CASE(aborts),
    CASE(fails_assertion),
    CASE(double_free),
    CASE(bad_free),
    CASE(smashed_heap),
    CASE(smashed_guard),
    CASE(smashed_stack),
    CASE(lost_stack),
    CASE(throws_error),
    CASE(throws_int),
    CASE(throws_own),
    CASE(throws_plain),
    CASE(throws_bad_alloc),
    CASE(throw_in_noexcept),
    CASE(pure_virtual),
    CASE(blocked),
    CASE(blocked_sent),
    CASE(in_handler),
    CASE(in_fork),
    CASE(in_vfork),
    CASE(beside_malloc),
    CASE(at_exit),
    CASE(on_alternate),
    CASE(on_fiber),
    CASE(in_constructor),
    CASE(in_closed),
    CASE(handler_exits),
    CASE(handler_raises),
    CASE(handler_returns),
    CASE(handler_aborts),
    CASE(handler_crashes),
    CASE(overflow_with_handler),
    CASE(overflow_on_alternate),
    CASE(recover_by_mending),
    CASE(recover_by_jumping),
    CASE(recover_on_raw_alternate),
    CASE(killed_from_outside),
    CASE(beside_exit),
    CASE(hoards),
    CASE(exits),
    CASE(raw_handler_exits),
    CASE(raw_handler_raises),
    CASE(closed),
    CASE(without_addresses),
    CASE(threads_at_once),
    CASE(processes_at_once),
    CASE(as_daemon),
    CASE(as_worker),
    CASE(kills_itself),
    CASE(kills_unwaited)};

int main(int argc, char **argv)
{
    for (const auto &at : cases) {
        if (argc < 2)
            (void)fprintf(stderr, "%s\n", at.name);
        else if (strcmp(at.name, argv[1]) == 0)
            at.run();
    }
    return argc < 2;
}
