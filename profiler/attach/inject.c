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

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "profiler/attach/apart.h"
#include "profiler/attach/guest_calls.h"
#include "profiler/attach/guest_image.h"
#include "profiler/attach/host.h"
#include "profiler/attach/inject_check.h"
#include "profiler/attach/leftover.h"
#include "profiler/attach/remote.h"

#define PAGE_BYTES  UINT64_C(4096)
#define STACK_BYTES (UINT64_C(128) << 10)

enum { LEFTOVERS_MAX = 16 /* taken along at once */ };

/* One injection under way. */
struct surgery {
    const struct prof_inject_block *block;
    struct prof_guest_image image;
    struct prof_remote remote;
    bool is_filtered;
    struct prof_injection *injection;
    struct diag *diag;
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
        surgery->diag, result == -ESRCH ? STATUS_GONE : STATUS_UNSUPPORTED,
        "%s in process %" PRIu32 " is refused: %s", what,
        surgery->injection->pid, strerror((int)-result));
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
    const struct prof_injection *injection = surgery->injection;
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
    struct prof_injection *injection = surgery->injection;
    if (!fill(surgery, image))
        return fail(
            surgery->diag, STATUS_SYSTEM,
            "write to the memory of process %" PRIu32, injection->pid);
    int64_t result = protect(surgery, image);
    if (is_failure(result))
        return refuse(surgery, "mprotect (memory to be run)", result);
    surgery->remote.syscall_pc = image + surgery->image.land;
    result = CALL(
        &surgery->remote, SYS_clone, PROF_GUEST_THREAD,
        word_address(injection));
    return is_failure(result) ? refuse(surgery, "clone (a thread)", result)
                              : STATUS_OK;
}

/* In the name of the thread that is held. */
static enum status operate(struct surgery *surgery)
{
    struct prof_injection *injection = surgery->injection;
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

/* ---- in ---- */

static enum status inject(void *owner, void *result, struct diag *diag)
{
    struct surgery *surgery = owner;
    struct prof_injection *injection = result;
    uint32_t pid = injection->pid;
    surgery->injection = injection;
    surgery->diag = diag;
    enum status status = prof_host_borrow(pid, &surgery->remote, diag);
    if (status != STATUS_OK)
        return status;
    injection->host = surgery->remote.tid;
    if (surgery->is_filtered)
        status = prof_guest_calls_judge(pid, injection->host, diag);
    if (status == STATUS_OK)
        status = operate(surgery);
    else
        prof_remote_begin_again(&surgery->remote);
    injection->held_ns = prof_remote_end(&surgery->remote);
    return status;
}

enum status prof_inject(
    uint32_t pid, const struct prof_inject_block *block,
    struct prof_injection *injection, struct diag *diag)
{
    struct surgery surgery = {.block = block};
    struct prof_injection made = {.pid = pid};
    struct prof_inject_place place;
    enum status status = prof_inject_check(pid, &place, diag);
    if (status != STATUS_OK)
        return status;
    surgery.is_filtered = place.is_filtered;
    surgery.remote.syscall_pc =
        prof_remote_find_syscall(pid, place.vdso[0], place.vdso[1]);
    if (surgery.remote.syscall_pc == 0 ||
        !prof_guest_image_open(&surgery.image))
        return fail(
            diag, STATUS_UNSUPPORTED,
            "process %" PRIu32 " has no system call in its vDSO", pid);
    status = prof_apart_run(inject, &surgery, &made, sizeof made, diag);
    if (status == STATUS_OK)
        *injection = made;
    return status;
}

/* ---- out ---- */

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

static enum status take_out(void *owner, void *result, struct diag *diag)
{
    (void)result;
    struct undoing *undoing = owner;
    const struct prof_injection *injection = undoing->injection;
    struct prof_remote *remote = &undoing->remote;
    enum prof_remote_begin begun;
    do
        begun = prof_remote_begin(remote, undoing->tid, false);
    while (begun == PROF_REMOTE_UNSAFE);
    if (begun == PROF_REMOTE_GONE)
        return STATUS_OK;
    if (begun == PROF_REMOTE_REFUSED)
        return fail(
            diag, STATUS_SYSTEM, "hold our thread in process %" PRIu32,
            injection->pid);
    if (!is_waiting(undoing)) {
        (void)prof_remote_end(remote);
        return STATUS_OK;
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
    return STATUS_OK;
}

enum status prof_inject_undo(
    const struct prof_injection *injection, uint32_t tid, uint64_t word,
    uint32_t value, struct diag *diag)
{
    struct undoing undoing = {
        .injection = injection, .tid = tid, .word = word, .value = value};
    if (!prof_guest_image_open(&undoing.image))
        return fail(diag, STATUS_MALFORMED, "the guest's image");
    uint64_t vdso[2];
    enum status status = prof_inject_vdso(injection->pid, vdso, diag);
    if (status != STATUS_OK)
        return status;
    undoing.remote.syscall_pc =
        prof_remote_find_syscall(injection->pid, vdso[0], vdso[1]);
    return prof_apart_run(take_out, &undoing, NULL, 0, diag);
}
