/*
 * Our code in a process that runs; see the header.
 *
 *     begin                                                       end
 *     | guard | stack ... word | block | segments of the image ... |
 *
 * The borrowed thread makes one call, clone(2), and goes on. The rest is done
 * by the new thread, held before its first instruction: calls for memory may
 * wait long for the lock of a busy process, and hold nobody of the program
 * then. It makes one mapping, of anonymous memory, so that no descriptor is
 * opened and no seal or flag of a memfd matters; that is filled from here; and
 * then its code is made executable, and cannot be written any more. `word` is
 * the block's address, which is all that prof_guest_land needs.
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
    struct prof_remote host, guest; /* threads: borrowed, and made by it */
    uint64_t start_pc;
    uint64_t patience_ns;
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

static enum status tell_end(uint32_t pid, struct diag *diag)
{
    return fail(
        diag, STATUS_GONE,
        "process %" PRIu32 " has ended, or runs another program", pid);
}

/* An exec ends threads, ours among them, while the process is as it was. */
static enum status refuse(struct surgery *surgery, const char *what, int error)
{
    uint32_t pid = surgery->injection->pid;
    return error == ESRCH ? tell_end(pid, surgery->diag)
                          : fail(
                                surgery->diag, STATUS_UNSUPPORTED,
                                "%s in process %" PRIu32 " is refused: %s",
                                what, pid, strerror(error));
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

/* Code only: constants are sealed by the guest (guest_thread.c). */
static int64_t protect(struct surgery *surgery, uint64_t image)
{
    int64_t result = 0;
    for (uint32_t i = 0; i < surgery->image.segment_count && result == 0; i++) {
        const Elf64_Phdr *segment = &surgery->image.segments[i];
        uint64_t start = segment->p_vaddr & ~(PAGE_BYTES - 1);
        if ((segment->p_flags & PF_X) == 0)
            continue;
        result = CALL(
            &surgery->guest, SYS_mprotect, image + start,
            segment->p_vaddr + segment->p_memsz - start, PROT_READ | PROT_EXEC);
    }
    return result;
}

static enum status lay_out(struct surgery *surgery)
{
    struct prof_injection *injection = surgery->injection;
    uint64_t block_bytes =
        (surgery->block->size + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
    uint64_t bytes = PAGE_BYTES + STACK_BYTES + PAGE_BYTES + block_bytes +
                     surgery->image.span_bytes;
    int64_t base = CALL(
        &surgery->guest, SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS, ~UINT64_C(0));
    if (is_failure(base))
        return refuse(surgery, "mmap", (int)-base);
    injection->begin = (uint64_t)base;
    injection->end = injection->begin + bytes;
    injection->block = injection->begin + PAGE_BYTES + STACK_BYTES + PAGE_BYTES;
    uint64_t image = injection->block + block_bytes;
    errno = EFAULT; /* of a write that ended early */
    if (!fill(surgery, image))
        return refuse(surgery, "a write to memory", errno);
    int64_t result = protect(surgery, image);
    if (is_failure(result))
        return refuse(surgery, "mprotect (memory to be run)", (int)-result);
    surgery->start_pc = image + surgery->image.land;
    return STATUS_OK;
}

/* The new thread's own work; the program's threads run meanwhile. */
static enum status start(struct surgery *surgery)
{
    struct prof_injection *injection = surgery->injection;
    injection->tid = surgery->guest.tid;
    enum status status = lay_out(surgery);
    if (status == STATUS_OK) {
        prof_remote_launch(
            &surgery->guest, surgery->start_pc, word_address(injection));
        return STATUS_OK;
    }
    if (injection->end > injection->begin)
        (void)CALL(
            &surgery->guest, SYS_munmap, injection->begin,
            injection->end - injection->begin);
    (void)CALL(&surgery->guest, SYS_exit, 0); /* and never comes back */
    return status;
}

/* ---- in ---- */

/* All that is done in the name of a thread of the program's. */
static enum status make_thread(struct surgery *surgery)
{
    struct prof_remote *host = &surgery->host;
    uint32_t pid = surgery->injection->pid;
    if (!prof_identity_holds(&surgery->injection->identity, pid))
        return fail(
            surgery->diag, STATUS_GONE,
            "the program of process %" PRIu32 " has ended: it runs another",
            pid);
    enum status status =
        surgery->is_filtered
            ? prof_guest_calls_judge(pid, host->tid, surgery->diag)
            : STATUS_OK;
    if (status != STATUS_OK) {
        prof_remote_begin_again(host);
        return status;
    }
    int64_t result = prof_remote_clone(host, PROF_GUEST_THREAD);
    return is_failure(result)
               ? refuse(surgery, "clone (a thread)", (int)-result)
               : STATUS_OK;
}

static enum status inject(void *owner, void *result, struct diag *diag)
{
    struct surgery *surgery = owner;
    struct prof_injection *injection = result;
    surgery->injection = injection;
    surgery->diag = diag;
    enum status status = prof_host_borrow(
        injection->pid, &injection->identity, surgery->patience_ns,
        &surgery->host, diag);
    if (status != STATUS_OK)
        return status;
    injection->host = surgery->host.tid;
    status = make_thread(surgery);
    injection->held_ns = prof_remote_end(&surgery->host);
    if (status != STATUS_OK)
        return status;
    return prof_remote_take_made(&surgery->host, &surgery->guest)
               ? start(surgery)
               : fail(
                     diag, STATUS_GONE, "process %" PRIu32 " has ended",
                     injection->pid);
}

static enum status operate(
    uint32_t pid, uint64_t patience_ns, const struct prof_inject_block *block,
    struct prof_injection *injection, struct diag *diag)
{
    struct surgery surgery = {.block = block, .patience_ns = patience_ns};
    struct prof_injection made = {.pid = pid};
    struct prof_inject_place place;
    enum status status = prof_inject_check(pid, &place, diag);
    if (status != STATUS_OK)
        return status;
    surgery.is_filtered = place.is_filtered;
    made.identity = place.identity;
    surgery.host.syscall_pc =
        prof_remote_find_syscall(pid, place.vdso[0], place.vdso[1]);
    if (surgery.host.syscall_pc == 0 || !prof_guest_image_open(&surgery.image))
        return fail(
            diag, STATUS_UNSUPPORTED,
            "process %" PRIu32 " has no system call in its vDSO", pid);
    status = prof_apart_run(inject, &surgery, &made, sizeof made, diag);
    if (status == STATUS_OK)
        *injection = made;
    return status;
}

/* What could not be done in a process that ends meanwhile was not refused. */
enum status prof_inject(
    uint32_t pid, uint64_t patience_ns, const struct prof_inject_block *block,
    struct prof_injection *injection, struct diag *diag)
{
    struct prof_identity identity;
    bool is_there = prof_identity_read(&identity, pid);
    enum status status = operate(pid, patience_ns, block, injection, diag);
    if (status == STATUS_OK || status == STATUS_GONE || !is_there ||
        prof_identity_holds(&identity, pid))
        return status;
    return tell_end(pid, diag);
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
        begun = prof_identity_holds(&injection->identity, injection->pid)
                    ? prof_remote_begin(remote, undoing->tid, false)
                    : PROF_REMOTE_GONE;
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
