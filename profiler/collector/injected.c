/* A guest in a process that began without us; see the header. */
#include "profiler/collector/injected.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "profiler/attach/inject.h"
#include "profiler/base/clock.h"
#include "profiler/base/proc.h"
#include "profiler/base/table.h"
#include "profiler/collector/process_files.h"
#include "profiler/wire/guest.h"
#include "profiler/wire/version.h"

enum { PATH_BYTES = 96, POLL_NS = 200000, TEXT_BYTES = 8192 };

/* For the guest to come to its next word; it looks for stuck threads for 3 s */
#define PATIENCE_NS UINT64_C(6000000000)

/* How often threads and modules are looked for. */
#define THREADS_NS  UINT64_C(100000000)
#define MODULES_NS  UINT64_C(1000000000)
#define DEFERRED_NS UINT64_C(1000000000)

struct prof_injected {
    struct prof_injection injection;
    struct wire_header *header;
    int signal;                /* of its ticks */
    uint64_t threads, modules; /* digests of what was there */
    uint64_t generation;       /* of what is mapped, when last asked */
    uint64_t next_threads_ns, next_modules_ns, next_deferred_ns, next_user_ns;
};

/* ---- its memory ---- */

static bool read_guest(
    const struct prof_injected *injected, struct wire_guest *guest)
{
    struct iovec here = {.iov_base = guest, .iov_len = sizeof *guest};
    struct iovec there = {
        .iov_base = (void *)(uintptr_t)injected->injection.block,
        .iov_len = sizeof *guest};
    return process_vm_readv(
               (pid_t)injected->injection.pid, &here, 1, &there, 1, 0) ==
           (ssize_t)sizeof *guest;
}

static bool write_guest(
    const struct prof_injected *injected, size_t offset, const void *bytes,
    size_t size)
{
    struct iovec here = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
    struct iovec there = {
        .iov_base = (void *)(uintptr_t)(injected->injection.block + offset),
        .iov_len = size};
    return process_vm_writev(
               (pid_t)injected->injection.pid, &here, 1, &there, 1, 0) ==
           (ssize_t)size;
}

/* Until it is at `state` or beyond; false: the process ended, or it hangs. */
static bool wait_for_state(
    const struct prof_injected *injected, enum wire_guest_state state,
    struct wire_guest *guest)
{
    static const struct timespec pause = {.tv_nsec = POLL_NS};
    uint64_t until_ns = clock_now_ns(CLOCK_MONOTONIC) + PATIENCE_NS;
    while (read_guest(injected, guest) &&
           clock_now_ns(CLOCK_MONOTONIC) < until_ns) {
        if (guest->state >= state)
            return true;
        (void)nanosleep(&pause, NULL);
    }
    return false;
}

static void order(const struct prof_injected *injected, uint32_t orders)
{
    _Atomic uint32_t *word = &injected->header->guest_orders;
    /* Pairs with the acquire in take_orders(). */
    (void)atomic_fetch_or_explicit(word, orders, memory_order_release);
    (void)syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* ---- in ---- */

static void fill_block(void *bytes, const struct prof_injection *injection)
{
    struct wire_guest *guest = bytes;
    guest->begin = injection->begin;
    guest->end = injection->end;
    guest->host = proc_inner_tid(injection->pid, injection->host);
}

static void choose(
    struct wire_guest *guest, const struct prof_injected_whom *whom)
{
    for (uint32_t i = 0; i < whom->count && i < WIRE_GUEST_THREADS_MAX; i++)
        guest->chosen[guest->chosen_count++] =
            proc_inner_tid(whom->pid, whom->tids[i]);
}

/*
 * Its descriptors are in a table of its own, which only the thread's entry of
 * /proc shows. What is there is not trusted: opening it neither waits nor has
 * an effect, and the ring's reader asks for its seals.
 */
static int open_segment(const struct prof_injected *injected, int32_t fd)
{
    static const char name[] = "/memfd:watchfire";
    char path[PATH_BYTES], target[sizeof name] = "";
    (void)snprintf(
        path, sizeof path, "/proc/%" PRIu32 "/task/%" PRIu32 "/fd/%" PRId32,
        injected->injection.pid, injected->injection.tid, fd);
    if (readlink(path, target, sizeof target - 1) < 0 ||
        strcmp(target, name) != 0)
        return -1;
    return open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static enum status explain_failure(
    struct wire_guest *guest, uint32_t pid, struct diag *diag)
{
    guest->reply.text[sizeof guest->reply.text - 1] = '\0';
    return fail(
        diag, STATUS_UNSUPPORTED,
        "process %" PRIu32 " could not be sampled: %s", pid, guest->reply.text);
}

static enum status greet(
    struct prof_injected *injected, int *segment, uint32_t *inner_pid,
    struct diag *diag)
{
    struct wire_guest guest;
    uint32_t pid = injected->injection.pid;
    if (!wait_for_state(injected, WIRE_GUEST_HELLO, &guest))
        return fail(
            diag, STATUS_GONE, "process %" PRIu32 " has ended, or hangs", pid);
    if (guest.state >= WIRE_GUEST_FAILED)
        return explain_failure(&guest, pid, diag);
    *segment = open_segment(injected, guest.fd);
    *inner_pid = guest.pid;
    if (*segment >= 0)
        return STATUS_OK;
    return prof_process_files_has_thread(pid, injected->injection.tid)
               ? fail(
                     diag, STATUS_SYSTEM, "open the ring of process %" PRIu32,
                     pid)
               : fail(
                     diag, STATUS_GONE,
                     "process %" PRIu32 " has ended, or runs another program",
                     pid);
}

static enum status undo(const struct prof_injected *injected, struct diag *diag)
{
    return prof_inject_undo(
        &injected->injection, injected->injection.tid,
        injected->injection.block + offsetof(struct wire_guest, state),
        WIRE_GUEST_OUT, diag);
}

enum status prof_injected_open(
    struct prof_injected **injected, const struct prof_injected_whom *whom,
    int *segment, uint32_t *inner_pid, struct diag *diag)
{
    struct wire_guest guest = {.magic = WIRE_MAGIC, .version = WIRE_VERSION};
    choose(&guest, whom);
    struct prof_inject_block block = {
        .bytes = &guest, .size = sizeof guest, .fill = fill_block};
    struct prof_injected *made = calloc(1, sizeof *made);
    if (made == NULL)
        return fail(diag, STATUS_NO_MEMORY, "out of memory");
    enum status status = prof_inject(
        whom->pid, whom->patience_ns, &block, &made->injection, diag);
    bool is_in = status == STATUS_OK;
    if (is_in)
        status = greet(made, segment, inner_pid, diag);
    if (status == STATUS_OK) {
        *injected = made;
        return STATUS_OK;
    }
    /* It ends by itself, as nobody answers. */
    if (is_in && wait_for_state(made, WIRE_GUEST_OUT, &guest))
        (void)undo(made, NULL);
    free(made);
    return status;
}

enum status prof_injected_begin(
    struct prof_injected *injected, struct wire_header *header,
    const struct wire_reply *reply, struct diag *diag)
{
    struct wire_guest guest;
    uint32_t state = WIRE_GUEST_ANSWERED;
    uint32_t pid = injected->injection.pid;
    injected->header = header;
    if (!write_guest(
            injected, offsetof(struct wire_guest, reply), reply,
            sizeof *reply) ||
        !write_guest(
            injected, offsetof(struct wire_guest, state), &state, sizeof state))
        return fail(diag, STATUS_GONE, "process %" PRIu32 " has ended", pid);
    order(injected, WIRE_ORDER_ANSWERED);
    if (!wait_for_state(injected, WIRE_GUEST_SAMPLING, &guest))
        return fail(
            diag, STATUS_GONE, "process %" PRIu32 " has ended, or hangs", pid);
    injected->signal = guest.signal == SIGWINCH ? SIGWINCH : SIGURG;
    return guest.state == WIRE_GUEST_SAMPLING
               ? STATUS_OK
               : explain_failure(&guest, pid, diag);
}

/* ---- meanwhile ---- */

static uint64_t mix(uint64_t digest, uint64_t value)
{
    return hash_u64(digest ^ value);
}

/* Of the threads' numbers; 0 when the guest's is not among them. */
static uint64_t digest_threads(const struct prof_injected *injected)
{
    struct proc_tasks tasks;
    uint64_t digest = 1;
    uint32_t tid;
    bool is_there = false;
    if (!proc_tasks_open(&tasks, injected->injection.pid))
        return 0;
    while (proc_tasks_next(&tasks, &tid)) {
        is_there |= tid == injected->injection.tid;
        digest = mix(digest, tid);
    }
    proc_tasks_close(&tasks);
    return is_there ? digest | 1 : 0;
}

/* Of the mappings that are code; the guest's and its walker's are not new. */
static uint64_t digest_modules(const struct prof_injected *injected)
{
    char line[TEXT_BYTES];
    (void)snprintf(
        line, sizeof line, "/proc/%" PRIu32 "/maps", injected->injection.pid);
    FILE *file = fopen(line, "re");
    uint64_t digest = 1;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        uint64_t start, end, inode;
        char access[8];
        if (sscanf(
                line, "%" SCNx64 "-%" SCNx64 " %7s %*x %*s %" SCNu64, &start,
                &end, access, &inode) == 4 &&
            access[2] == 'x')
            digest = mix(mix(digest, start), inode);
    }
    if (file != NULL)
        (void)fclose(file);
    return digest;
}

static bool is_due(uint64_t *next_ns, uint64_t now_ns, uint64_t interval_ns)
{
    if (now_ns < *next_ns)
        return false;
    *next_ns = now_ns + interval_ns;
    return true;
}

/* The first time all is new: the guest may have looked before it came. */
bool prof_injected_tend(
    struct prof_injected *injected, uint64_t generation, uint64_t now_ns)
{
    uint32_t orders = 0;
    if (is_due(&injected->next_threads_ns, now_ns, THREADS_NS)) {
        uint64_t threads = digest_threads(injected);
        if (threads == 0)
            return false;
        if (threads != injected->threads)
            orders |= WIRE_ORDER_THREADS;
        injected->threads = threads;
    }
    if (generation != injected->generation) {
        orders |= WIRE_ORDER_SCAN;
        injected->generation = generation;
    }
    if (is_due(&injected->next_modules_ns, now_ns, MODULES_NS)) {
        uint64_t modules = digest_modules(injected);
        if (modules != injected->modules)
            orders |= WIRE_ORDER_SCAN;
        injected->modules = modules;
    }
    if (atomic_load_explicit(
            &injected->header->guest_deferred, memory_order_relaxed) > 0 &&
        is_due(&injected->next_deferred_ns, now_ns, DEFERRED_NS))
        orders |= WIRE_ORDER_THREADS;
    if (orders != 0)
        order(injected, orders);
    return true;
}

/* Of all four kinds. */
static bool are_same(
    const struct proc_status *its, const struct proc_status *ours,
    const char *field)
{
    const char *line = proc_status_line(its, field);
    return strncmp(
               line, proc_status_line(ours, field), strcspn(line, "\n") + 1) ==
           0;
}

bool prof_injected_has_its_user(struct prof_injected *injected, uint64_t now_ns)
{
    struct proc_status its, ours;
    uint32_t pid = injected->injection.pid;
    if (!is_due(&injected->next_user_ns, now_ns, THREADS_NS) ||
        !proc_status_read(&its, pid, pid) ||
        !proc_status_read(&ours, pid, injected->injection.tid))
        return true;
    return are_same(&its, &ours, "Uid") && are_same(&its, &ours, "Gid");
}

uint32_t prof_injected_tid(const struct prof_injected *injected)
{
    return injected->injection.tid;
}

int prof_injected_signal(const struct prof_injected *injected)
{
    return injected->signal;
}

uint64_t prof_injected_held_ns(const struct prof_injected *injected)
{
    return injected->injection.held_ns;
}

/* ---- out ---- */

static enum status take_out(struct prof_injected *injected, struct diag *diag)
{
    struct wire_guest guest;
    uint32_t pid = injected->injection.pid;
    order(injected, WIRE_ORDER_END);
    if (!wait_for_state(injected, WIRE_GUEST_OUT, &guest))
        return read_guest(injected, &guest)
                   ? fail(
                         diag, STATUS_LIMIT,
                         "our thread in process %" PRIu32
                         " does not end: is it stopped? It will when it goes "
                         "on",
                         pid)
                   : STATUS_OK; /* the process has ended, or runs another
                                   program */
    if (guest.stuck > 0)
        return fail(
            diag, STATUS_LIMIT,
            "some 3 MiB stay mapped in process %" PRIu32 ", until %" PRIu32
            " of its threads run that did not for 3 s",
            pid, guest.stuck);
    return guest.state == WIRE_GUEST_OUT ? undo(injected, diag) : STATUS_OK;
}

enum status prof_injected_close(
    struct prof_injected *injected, struct diag *diag)
{
    if (injected == NULL)
        return STATUS_OK;
    enum status status =
        injected->header != NULL ? take_out(injected, diag) : STATUS_OK;
    free(injected);
    return status;
}
