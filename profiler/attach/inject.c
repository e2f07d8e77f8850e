/*
 * Our code in a process that runs; see the header.
 *
 *     begin                                                       end
 *     | guard | stack ... word | block | segments of the image ... |
 *
 * One mapping, made in the borrowed thread's name as anonymous memory, so that
 * no descriptor is opened and no seal or flag of a memfd matters; filled from
 * here; and then its code is made executable, and cannot be written any more.
 * `word` is the block's address, which is all that prof_guest_land needs.
 */
#include "profiler/attach/inject.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "profiler/attach/guest_image.h"
#include "profiler/attach/held_call.h"
#include "profiler/attach/inject_check.h"
#include "profiler/attach/leftover.h"
#include "profiler/attach/remote.h"
#include "profiler/attach/untimed.h"
#include "profiler/base/clock.h"

#define PAGE_BYTES  UINT64_C(4096)
#define STACK_BYTES (UINT64_C(128) << 10)

/* For one of the better choices, and in all. */
#define CHOOSY_NS   UINT64_C(20000000)
#define PATIENCE_NS UINT64_C(2000000000)
#define ROUND_NS    200000

enum {
    PATH_BYTES = 96,
    TEXT_BYTES = 512,
    LEFTOVERS_MAX = 16, /* taken along at once */
    THREAD_FLAGS = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
                   CLONE_THREAD | CLONE_SYSVSEM,
};

/* What the process made for it tells us, through a pipe. */
struct outcome {
    enum status status;
    struct diag diag;
    struct prof_injection injection;
};

/* One injection under way. */
struct surgery {
    const struct prof_inject_block *block;
    struct prof_guest_image image;
    struct prof_remote remote;
    struct outcome outcome;
};

/* ---- calls ---- */

#define CALL(remote, number, ...)                                              \
    prof_remote_call(remote, number, (const uint64_t[6]){__VA_ARGS__})

static bool is_failure(int64_t result)
{
    return result < 0 && result > -4096;
}

static enum status refuse(
    struct surgery *surgery, const char *what, int64_t result)
{
    return fail(
        &surgery->outcome.diag,
        result == -ESRCH ? STATUS_GONE : STATUS_UNSUPPORTED,
        "%s in process %" PRIu32 " is refused: %s", what,
        surgery->outcome.injection.pid, strerror((int)-result));
}

/* ---- filling ---- */

/* Where the new thread's stack begins: it takes this word, and is aligned. */
static uint64_t word_address(const struct prof_injection *injection)
{
    return injection->block - PAGE_BYTES + sizeof(uint64_t);
}

static bool write_memory(
    const struct prof_injection *injection, uint64_t address, const void *bytes,
    size_t size)
{
    struct iovec here = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
    struct iovec there = {
        .iov_base = (void *)(uintptr_t)address, .iov_len = size};
    return process_vm_writev((pid_t)injection->pid, &here, 1, &there, 1, 0) ==
           (ssize_t)size;
}

static bool fill(struct surgery *surgery, uint64_t image)
{
    const struct prof_injection *injection = &surgery->outcome.injection;
    const struct prof_inject_block *block = surgery->block;
    for (uint32_t i = 0; i < surgery->image.segment_count; i++) {
        const Elf64_Phdr *segment = &surgery->image.segments[i];
        if (!write_memory(
                injection, image + segment->p_vaddr,
                surgery->image.bytes + segment->p_offset, segment->p_filesz))
            return false;
    }
    block->fill(block->bytes, injection);
    return write_memory(
               injection, injection->block, block->bytes, block->size) &&
           write_memory(
               injection, word_address(injection), &injection->block,
               sizeof injection->block);
}

/* Code only: each call holds the thread longer. */
static int64_t protect(struct surgery *surgery, uint64_t image)
{
    struct prof_remote *remote = &surgery->remote;
    int64_t result = 0;
    for (uint32_t i = 0; i < surgery->image.segment_count && result == 0; i++) {
        const Elf64_Phdr *segment = &surgery->image.segments[i];
        uint64_t start = segment->p_vaddr & ~(PAGE_BYTES - 1);
        if ((segment->p_flags & PF_X) == 0)
            continue;
        result = CALL(
            remote, SYS_mprotect, image + start,
            segment->p_vaddr + segment->p_memsz - start, PROT_READ | PROT_EXEC);
    }
    return result;
}

static enum status start_thread(struct surgery *surgery, uint64_t image)
{
    struct prof_injection *injection = &surgery->outcome.injection;
    if (!fill(surgery, image))
        return fail(
            &surgery->outcome.diag, STATUS_SYSTEM,
            "write to the memory of process %" PRIu32, injection->pid);
    int64_t result = protect(surgery, image);
    if (is_failure(result))
        return refuse(surgery, "mprotect (memory to be run)", result);
    surgery->remote.syscall_pc = image + surgery->image.land;
    result = CALL(
        &surgery->remote, SYS_clone, THREAD_FLAGS, word_address(injection));
    return is_failure(result) ? refuse(surgery, "clone (a thread)", result)
                              : STATUS_OK;
}

/* In the name of the thread that is held. */
static enum status operate(struct surgery *surgery)
{
    struct prof_injection *injection = &surgery->outcome.injection;
    struct prof_remote *remote = &surgery->remote;
    uint64_t syscall_pc = remote->syscall_pc;
    uint64_t block_bytes =
        (surgery->block->size + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
    uint64_t bytes = PAGE_BYTES + STACK_BYTES + PAGE_BYTES + block_bytes +
                     surgery->image.span_bytes;
    int64_t base = CALL(
        remote, SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS, ~UINT64_C(0));
    if (is_failure(base))
        return refuse(surgery, "mmap", base);
    injection->begin = (uint64_t)base;
    injection->end = injection->begin + bytes;
    injection->block = injection->begin + PAGE_BYTES + STACK_BYTES + PAGE_BYTES;
    enum status status = start_thread(surgery, injection->block + block_bytes);
    remote->syscall_pc = syscall_pc;
    if (status != STATUS_OK)
        (void)CALL(remote, SYS_munmap, injection->begin, bytes);
    return status;
}

/* ---- the thread to be borrowed ---- */

static bool read_file(
    uint32_t pid, uint32_t tid, const char *name, char *text, size_t bytes)
{
    char path[PATH_BYTES];
    (void)snprintf(
        path, sizeof path, "/proc/%" PRIu32 "/task/%" PRIu32 "/%s", pid, tid,
        name);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    size_t got = fread(text, 1, bytes - 1, file);
    (void)fclose(file);
    text[got] = '\0';
    return got > 0;
}

/* Whom to borrow; each second choice when a while has brought no better. */
enum choice {
    FIRST_CHOICE,  /* it waits without a limit */
    SECOND_CHOICE, /* it waits, and is late by as long as it is held */
    LAST_CHOICE,   /* it runs: a transfer may be cut in two */
};

/* Whether it sleeps in a call that goes on rightly when it was held. */
static bool sleeps_well(uint32_t pid, uint32_t tid, enum choice choice)
{
    char text[TEXT_BYTES];
    struct prof_held_call call;
    uint64_t *words = call.arguments;
    if (!read_file(pid, tid, "syscall", text, sizeof text) ||
        sscanf(
            text,
            "%" SCNd64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64
            " %" SCNx64 " %" SCNx64,
            &call.number, &words[0], &words[1], &words[2], &words[3], &words[4],
            &words[5]) != 7)
        return false;
    return choice == FIRST_CHOICE ? prof_call_is_untimed(pid, &call)
                                  : prof_call_may_be_held(&call, false);
}

/* Its number in its own name space: the last of those listed. */
static uint32_t inner_tid(uint32_t pid, uint32_t tid)
{
    char text[4 * TEXT_BYTES];
    const char *list = read_file(pid, tid, "status", text, sizeof text)
                           ? strstr(text, "\nNSpid:")
                           : NULL;
    if (list == NULL)
        return 0;
    const char *last = list + 1 + strcspn(list + 1, "\n");
    while (last > list && *last != '\t')
        last--;
    return (uint32_t)strtoul(last, NULL, 10);
}

/* 'R', 'S', ...: behind the name, which may have anything in it. */
static char read_state(uint32_t pid, uint32_t tid)
{
    char text[TEXT_BYTES];
    const char *name_end = read_file(pid, tid, "stat", text, sizeof text)
                               ? strrchr(text, ')')
                               : NULL;
    return name_end != NULL ? name_end[2] : '?';
}

/* Done, whatever the end, when it is true. */
static bool try_thread(
    struct surgery *surgery, uint32_t tid, enum choice choice, int *error)
{
    struct prof_injection *injection = &surgery->outcome.injection;
    char state = read_state(injection->pid, tid);
    bool is_running = state == 'R';
    if (is_running ? choice != LAST_CHOICE
                   : state != 'S' || !sleeps_well(injection->pid, tid, choice))
        return false;
    injection->host = inner_tid(injection->pid, tid);
    enum prof_remote_begin begun =
        prof_remote_begin(&surgery->remote, tid, is_running);
    if (begun == PROF_REMOTE_REFUSED)
        *error = errno;
    if (begun != PROF_REMOTE_BEGUN)
        return false;
    uint64_t since_ns = clock_now_ns(CLOCK_MONOTONIC);
    surgery->outcome.status = operate(surgery);
    prof_remote_end(&surgery->remote);
    injection->held_ns = clock_now_ns(CLOCK_MONOTONIC) - since_ns;
    return true;
}

static bool try_threads(struct surgery *surgery, enum choice choice, int *error)
{
    char path[PATH_BYTES];
    (void)snprintf(
        path, sizeof path, "/proc/%" PRIu32 "/task",
        surgery->outcome.injection.pid);
    DIR *folder = opendir(path);
    if (folder == NULL)
        return false;
    bool is_done = false;
    const struct dirent *entry;
    while (!is_done && (entry = readdir(folder)) != NULL) {
        uint32_t tid = (uint32_t)strtoul(entry->d_name, NULL, 10);
        if (tid != 0)
            is_done = try_thread(surgery, tid, choice, error);
    }
    (void)closedir(folder);
    return is_done;
}

static enum status find_no_thread(struct surgery *surgery, int error)
{
    struct outcome *outcome = &surgery->outcome;
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "/proc/%" PRIu32, outcome->injection.pid);
    if (access(path, F_OK) != 0)
        return fail(
            &outcome->diag, STATUS_GONE, "process %" PRIu32 " has ended",
            outcome->injection.pid);
    if (error != 0)
        return fail(
            &outcome->diag, STATUS_NOT_PERMITTED,
            "no thread of process %" PRIu32 " can be held: ptrace: %s",
            outcome->injection.pid, strerror(error));
    return fail(
        &outcome->diag, STATUS_LIMIT,
        "no thread of process %" PRIu32 " came to a safe point within %u s: "
        "'watchfire record --via perf -p %" PRIu32 "' needs none",
        outcome->injection.pid, (unsigned)(PATIENCE_NS / 1000000000),
        outcome->injection.pid);
}

static void inject(struct surgery *surgery)
{
    static const struct timespec pause = {.tv_nsec = ROUND_NS};
    uint64_t since_ns = clock_now_ns(CLOCK_MONOTONIC), passed_ns = 0;
    int error = 0;
    while (!try_threads(
        surgery,
        passed_ns > 2 * CHOOSY_NS ? LAST_CHOICE
        : passed_ns > CHOOSY_NS   ? SECOND_CHOICE
                                  : FIRST_CHOICE,
        &error)) {
        passed_ns = clock_now_ns(CLOCK_MONOTONIC) - since_ns;
        if (error != 0 || passed_ns > PATIENCE_NS) {
            surgery->outcome.status = find_no_thread(surgery, error);
            return;
        }
        (void)nanosleep(&pause, NULL);
    }
}

/* ---- the process made for it ---- */

typedef void operation(void *owner, struct outcome *outcome);

static void run_apart(
    int pipe, operation *run, void *owner, struct outcome *outcome)
{
    (void)setsid();
    /* While a thread is held, each wait for a processor holds it longer. */
    struct prof_urgency urgency;
    prof_urgency_raise(&urgency, 0);
    run(owner, outcome);
    (void)write(pipe, outcome, sizeof *outcome);
    _exit(0);
}

static bool read_outcome(int pipe, struct outcome *outcome)
{
    ssize_t got;
    do
        got = read(pipe, outcome, sizeof *outcome);
    while (got < 0 && errno == EINTR);
    return got == (ssize_t)sizeof *outcome;
}

/* What is not told, because it died, is a failure. */
static enum status do_apart(
    operation *run, void *owner, struct outcome *outcome, struct diag *diag)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return fail(diag, STATUS_SYSTEM, "make a pipe");
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t child = fork();
    if (child == 0)
        run_apart(ends[1], run, owner, outcome);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)close(ends[1]);
    bool is_told = child > 0 && read_outcome(ends[0], outcome);
    (void)close(ends[0]);
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    if (!is_told)
        return fail(diag, STATUS_SYSTEM, "make a process that injects");
    if (outcome->status != STATUS_OK && diag != NULL)
        *diag = outcome->diag;
    return outcome->status;
}

static void inject_apart(void *owner, struct outcome *outcome)
{
    struct surgery *surgery = owner;
    surgery->outcome = *outcome;
    inject(surgery);
    *outcome = surgery->outcome;
}

enum status prof_inject(
    uint32_t pid, const struct prof_inject_block *block,
    struct prof_injection *injection, struct diag *diag)
{
    struct surgery surgery = {.block = block};
    struct outcome outcome = {.injection = {.pid = pid}};
    uint64_t vdso[2];
    enum status status = prof_inject_check(pid, vdso, diag);
    if (status != STATUS_OK)
        return status;
    surgery.remote.syscall_pc = prof_remote_find_syscall(pid, vdso[0], vdso[1]);
    if (surgery.remote.syscall_pc == 0 ||
        !prof_guest_image_open(&surgery.image))
        return fail(
            diag, STATUS_UNSUPPORTED,
            "process %" PRIu32 " has no system call in its vDSO", pid);
    status = do_apart(inject_apart, &surgery, &outcome, diag);
    if (status == STATUS_OK)
        *injection = outcome.injection;
    return status;
}

struct undoing {
    const struct prof_injection *injection;
    uint32_t tid;
    uint64_t word;
    uint32_t value;
    struct prof_guest_image image;
    struct prof_remote remote;
};

/* While it is held: whether it still waits for us. */
static bool is_waiting(const struct undoing *undoing)
{
    uint32_t value;
    struct iovec here = {.iov_base = &value, .iov_len = sizeof value};
    struct iovec there = {
        .iov_base = (void *)(uintptr_t)undoing->word, .iov_len = sizeof value};
    return process_vm_readv(
               (pid_t)undoing->injection->pid, &here, 1, &there, 1, 0) ==
               (ssize_t)sizeof value &&
           value == undoing->value;
}

static void undo_apart(void *owner, struct outcome *outcome)
{
    struct undoing *undoing = owner;
    const struct prof_injection *injection = undoing->injection;
    struct prof_remote *remote = &undoing->remote;
    enum prof_remote_begin begun;
    do
        begun = prof_remote_begin(remote, undoing->tid, false);
    while (begun == PROF_REMOTE_UNSAFE);
    if (begun == PROF_REMOTE_GONE)
        return;
    if (begun == PROF_REMOTE_REFUSED) {
        outcome->status = fail(
            &outcome->diag, STATUS_SYSTEM,
            "hold our thread in process %" PRIu32, injection->pid);
        return;
    }
    if (!is_waiting(undoing)) {
        prof_remote_end(remote);
        return;
    }
    (void)CALL(
        remote, SYS_munmap, injection->begin,
        injection->end - injection->begin);
    uint64_t pages[LEFTOVERS_MAX];
    uint32_t count = prof_leftover_find(
        &undoing->image, injection->pid, undoing->tid, pages, LEFTOVERS_MAX);
    for (uint32_t i = 0; i < count; i++)
        (void)CALL(remote, SYS_munmap, pages[i], PAGE_BYTES);
    (void)CALL(remote, SYS_exit, 0); /* and never comes back */
}

enum status prof_inject_undo(
    const struct prof_injection *injection, uint32_t tid, uint64_t word,
    uint32_t value, struct diag *diag)
{
    struct undoing undoing = {
        .injection = injection, .tid = tid, .word = word, .value = value};
    if (!prof_guest_image_open(&undoing.image))
        return fail(diag, STATUS_MALFORMED, "the guest's image");
    struct outcome outcome = {.status = STATUS_OK};
    uint64_t vdso[2];
    enum status status = prof_inject_vdso(injection->pid, vdso, diag);
    if (status != STATUS_OK)
        return status;
    undoing.remote.syscall_pc =
        prof_remote_find_syscall(injection->pid, vdso[0], vdso[1]);
    return do_apart(undo_apart, &undoing, &outcome, diag);
}
