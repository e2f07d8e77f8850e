/*
 * check_steps PROGRAM [ARG...]: the unwinder against a program's execution.
 *
 * The program runs to its first breakpoint instruction and from there, one
 * instruction at a time, to its second. After each, the stack is unwound from
 * outside, and must be what calls, returns and signals have made it
 * (shadow.h): every frame, up to the thread's first. Now and then the walk is
 * repeated without cache, trail and table of rows.
 *
 * Exit status 0 when all agree, 1 when not, 77 when ptrace is refused.
 *
 * Rulings, where both are right and differ:
 *
 *  - A pc in code without CFI (the program's section bare_text) is not compared
 *    itself: frame pointers tell the truth only between prologue and epilogue.
 *    Its callees are.
 *  - Code that changes the context (longjmp, swapcontext, a return address
 *    held in a register) is described by its CFI as if it were already where
 *    it goes. Such a walk is right when the program then gets there: within
 *    SWITCH_STEPS its pc and its callers are the frames that were found.
 *  - Between loading the stack pointer for another stack, or for a frame
 *    further out, and leaving the function that does, no stack is whole:
 *    SWITCH_STEPS are let go.
 *  - Before it lands, libgcc overwrites the saved registers and return
 *    addresses of its own frames. From the first call on whose return address
 *    is not in memory any more there is nothing to compare, and a caller may be
 *    wrong where its callee is abandoned without a return within LANDING_STEPS.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gelf.h>

#include "tests/profiler/unwind/remote.h"
#include "tests/profiler/unwind/shadow.h"

enum {
    SKIP = 77,
    FRAMES_MAX = 256,
    PLAIN_EVERY = 16,
    MISMATCHES_SHOWN = 12,
    INSTRUCTION_BYTES = 15,
    SWITCH_STEPS = 40,
    LANDING_STEPS = 400,
};

/* As many as a corpus may need; more is a program that does not end. */
#define STEPS_MAX 3000000ul

struct run {
    pid_t pid;
    struct remote *remote;
    struct shadow *shadow;
    struct user_regs_struct regs;
    uint64_t bare_start, bare_end; /* code without CFI */
    unsigned long steps, mismatches, bare, ruled;
    uint64_t frames[FRAMES_MAX];

    /* Walks that may show where the program is going. */
    struct pending {
        unsigned long step;
        uint64_t pc;
        uint32_t count;
        uint64_t frames[FRAMES_MAX]; /* without the leaf */
        uint32_t end;
        uint32_t wanted_count;
        uint64_t wanted[FRAMES_MAX];
        uint64_t right_slot; /* of the last frame that is right */
    } pending[LANDING_STEPS + 1];
    unsigned pending_count;

    unsigned long switches;    /* of stacks */
    unsigned long switch_step; /* the last one, or frames abandoned */
    uint64_t landed_sp;        /* after abandoning frames just now; or 0 */
};

static bool wait_stop(struct run *run, int *status)
{
    return waitpid(run->pid, status, 0) == run->pid && WIFSTOPPED(*status) &&
           ptrace(PTRACE_GETREGS, run->pid, NULL, &run->regs) == 0;
}

static void to_regs(const struct user_regs_struct *from, struct prof_regs *to)
{
    const uint64_t values[PROF_REG_COUNT] = {
        from->rax, from->rdx, from->rcx, from->rbx, from->rsi, from->rdi,
        from->rbp, from->rsp, from->r8,  from->r9,  from->r10, from->r11,
        from->r12, from->r13, from->r14, from->r15, from->rip,
    };
    memcpy(to->value, values, sizeof values);
    to->known = PROF_REGS_ALL;
}

static struct prof_walk unwind(struct run *run, bool is_plain)
{
    struct prof_regs regs;
    struct prof_walk walk = {.frames = run->frames, .capacity = FRAMES_MAX};
    to_regs(&run->regs, &regs);
    remote_walk(run->remote, &regs, is_plain, &walk);
    return walk;
}

static bool is_prefix(uint8_t byte)
{
    return byte == 0x66 || byte == 0x67 || byte == 0xf2 || byte == 0xf3 ||
           byte == 0x2e || byte == 0x3e || byte == 0x64 || byte == 0x65 ||
           (byte & 0xf0) == 0x40;
}

static bool is_call(const uint8_t *code)
{
    unsigned at = 0;
    while (at < 4 && is_prefix(code[at]))
        at++;
    return code[at] == 0xe8 ||
           (code[at] == 0xff && (code[at + 1] >> 3 & 7) == 2);
}

/* Also of sigreturn, which drops the frames it made. */
static bool is_return(const uint8_t *code)
{
    unsigned at = is_prefix(code[0]);
    return code[at] == 0xc3 || code[at] == 0xc2 ||
           (code[at] == 0x0f && code[at + 1] == 0x05);
}

static void read_code(const struct run *run, uint64_t pc, uint8_t *code)
{
    struct iovec local = {code, INSTRUCTION_BYTES};
    struct iovec other[] = {{(void *)(uintptr_t)pc, INSTRUCTION_BYTES}};
    memset(code, 0, INSTRUCTION_BYTES);
    (void)!process_vm_readv(run->pid, &local, 1, other, 1, 0);
}

static void show(
    const struct run *run, const char *title, const uint64_t *frames,
    uint32_t count)
{
    char text[256];
    fprintf(stderr, "  %s:", title);
    for (uint32_t i = 0; i < count && i < 12; i++) {
        remote_describe(
            run->remote, frames[i] & PROF_FRAME_ADDRESS, text, sizeof text);
        fprintf(stderr, " %s%s", frames[i] & PROF_FRAME_EXACT ? "=" : "", text);
    }
    fprintf(stderr, "\n");
}

/* Nothing came of it: the walk was wrong. */
static void refuse(struct run *run, const struct pending *pending)
{
    if (run->mismatches++ >= MISMATCHES_SHOWN)
        return;
    fprintf(stderr, "step %lu, end %u\n", pending->step, pending->end);
    show(run, "pc", &pending->pc, 1);
    show(run, "wanted", pending->wanted, pending->wanted_count);
    show(run, "walked", pending->frames, pending->count);
}

/* Is the program where `pending` said it would be? */
static bool has_come_true(const struct run *run, const struct pending *pending)
{
    struct shadow_frame callers[FRAMES_MAX];
    uint32_t count = shadow_frames(run->shadow, callers, FRAMES_MAX);
    if (pending->count != count + 1 || pending->frames[0] != run->regs.rip)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (pending->frames[i + 1] != callers[i].pc)
            return false;
    return true;
}

static void judge_pending(struct run *run, bool is_over)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < run->pending_count; i++) {
        struct pending *pending = &run->pending[i];
        unsigned long age = run->steps - pending->step;
        if ((age < SWITCH_STEPS && has_come_true(run, pending)) ||
            pending->right_slot < run->landed_sp)
            run->ruled++;
        else if (is_over || age >= LANDING_STEPS)
            refuse(run, pending);
        else
            run->pending[kept++] = *pending;
    }
    run->pending_count = kept;
}

/* Is the word a call has pushed still there? */
static bool is_overwritten(
    const struct run *run, const struct shadow_frame *frame)
{
    uint64_t word;
    return frame->slot != 0 &&
           (!remote_load(run->remote, frame->slot, &word) || word != frame->pc);
}

enum verdict { EQUAL, DIFFERENT, OVERWRITTEN };

static enum verdict judge(
    const struct run *run, const struct prof_walk *walk,
    const struct shadow_frame *wanted, uint32_t count)
{
    if (run->frames[0] != (run->regs.rip | PROF_FRAME_EXACT))
        return DIFFERENT;
    for (uint32_t i = 0; i < count; i++)
        if (i + 1 >= walk->count ||
            (run->frames[i + 1] & ~PROF_FRAME_GUESSED) != wanted[i].pc)
            return is_overwritten(run, &wanted[i]) ? OVERWRITTEN : DIFFERENT;
    return walk->count == count + 1 && walk->end == PROF_WALK_COMPLETE
               ? EQUAL
               : DIFFERENT;
}

static void suspend(
    struct run *run, const struct prof_walk *walk,
    const struct shadow_frame *wanted, uint32_t count)
{
    if (run->pending_count == LANDING_STEPS + 1)
        judge_pending(run, true);
    struct pending *pending = &run->pending[run->pending_count++];
    pending->step = run->steps;
    pending->pc = run->regs.rip;
    pending->end = walk->end;
    pending->count = walk->count - 1;
    for (uint32_t i = 0; i < pending->count; i++)
        pending->frames[i] = run->frames[i + 1];
    pending->wanted_count = count;
    uint32_t right = 0;
    while (right < count && right < pending->count &&
           pending->frames[right] == wanted[right].pc)
        right++;
    pending->right_slot = right > 0 ? wanted[right - 1].slot : 0;
    for (uint32_t i = 0; i < count; i++)
        pending->wanted[i] = wanted[i].pc;
}

static bool is_switching(struct run *run)
{
    if (run->switches != shadow_switches(run->shadow) || run->landed_sp != 0) {
        run->switches = shadow_switches(run->shadow);
        run->switch_step = run->steps;
    }
    return run->switch_step != 0 &&
           run->steps - run->switch_step < SWITCH_STEPS;
}

static void compare(struct run *run, bool is_plain)
{
    struct shadow_frame wanted[FRAMES_MAX];
    uint32_t count = shadow_frames(run->shadow, wanted, FRAMES_MAX);
    bool is_between = is_switching(run);
    struct prof_walk walk = unwind(run, is_plain);
    if (run->regs.rip - run->bare_start < run->bare_end - run->bare_start) {
        run->bare++;
        return;
    }
    enum verdict verdict = judge(run, &walk, wanted, count);
    if (verdict == DIFFERENT && !is_between) {
        remote_refresh(run->remote); /* it may have loaded something */
        walk = unwind(run, is_plain);
        verdict = judge(run, &walk, wanted, count);
    }
    if (verdict == EQUAL)
        return;
    if (is_between || verdict == OVERWRITTEN)
        run->ruled++;
    else
        suspend(run, &walk, wanted, count);
}

/* One instruction; false at the second breakpoint or the program's end. */
static bool step(struct run *run, int *signal)
{
    struct user_regs_struct before = run->regs;
    uint8_t code[INSTRUCTION_BYTES];
    int status, sent = *signal;
    uint64_t word = 0;
    read_code(run, before.rip, code);
    if (code[0] == 0xcc ||
        ptrace(PTRACE_SINGLESTEP, run->pid, NULL, (void *)(intptr_t)sent) !=
            0 ||
        !wait_stop(run, &status))
        return false;
    *signal = 0;
    if (WSTOPSIG(status) != SIGTRAP) {
        *signal = WSTOPSIG(status); /* nothing was executed */
        return true;
    }
    uint64_t sp = run->regs.rsp;
    (void)remote_load(run->remote, sp, &word);
    if (sent != 0 && (int)run->regs.rdi == sent && sp != before.rsp) {
        shadow_signal(run->shadow, before.rsp, before.rip, sp, word);
        return true;
    }
    unsigned gone = shadow_move(run->shadow, sp, word);
    run->landed_sp = gone > 0 && !is_return(code) ? sp : 0;
    if (is_call(code))
        shadow_call(run->shadow, sp, word);
    return true;
}

static void follow(struct run *run)
{
    int signal = 0;
    struct prof_walk walk = unwind(run, true);
    if (walk.end != PROF_WALK_COMPLETE) {
        fprintf(stderr, "the first stack is not complete\n");
        run->mismatches++;
    }
    shadow_set_base(
        run->shadow, run->regs.rsp, run->frames + 1, walk.count - 1);
    while (run->steps < STEPS_MAX && step(run, &signal)) {
        run->steps++;
        judge_pending(run, false);
        compare(run, false);
        if (run->steps % PLAIN_EVERY == 0)
            compare(run, true);
    }
    judge_pending(run, true);
}

/* The section bare_text, at its address in a program that does not move. */
static void find_bare(struct run *run, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    (void)elf_version(EV_CURRENT);
    Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
    size_t names;
    if (elf_getshdrstrndx(elf, &names) == 0)
        for (Elf_Scn *section = NULL;
             (section = elf_nextscn(elf, section)) != NULL;) {
            GElf_Shdr header;
            if (gelf_getshdr(section, &header) == NULL ||
                strcmp(elf_strptr(elf, names, header.sh_name), "bare_text") !=
                    0)
                continue;
            run->bare_start = header.sh_addr;
            run->bare_end = header.sh_addr + header.sh_size;
        }
    elf_end(elf);
    (void)close(fd);
}

static pid_t start(char **arguments)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(SKIP);
    (void)execv(arguments[0], arguments);
    _exit(SKIP);
}

/* Up to the first breakpoint, which reports the pc behind itself. */
static bool reach_start(struct run *run)
{
    int status;
    if (!wait_stop(run, &status))
        return false;
    (void)ptrace(PTRACE_SETOPTIONS, run->pid, NULL, (void *)PTRACE_O_EXITKILL);
    return ptrace(PTRACE_CONT, run->pid, NULL, NULL) == 0 &&
           wait_stop(run, &status) && WSTOPSIG(status) == SIGTRAP;
}

int main(int argc, char **argv)
{
    static struct run run;
    if (argc < 2)
        return 2;
    find_bare(&run, argv[1]);
    run.pid = start(argv + 1);
    if (!reach_start(&run))
        return SKIP;
    run.remote = remote_open(run.pid);
    run.shadow = shadow_create();
    follow(&run);
    (void)kill(run.pid, SIGKILL);
    (void)waitpid(run.pid, NULL, 0);
    remote_close(run.remote);
    shadow_destroy(run.shadow);
    printf(
        "%lu instructions, %lu differ, %lu ruled, %lu in bare code\n",
        run.steps, run.mismatches, run.ruled, run.bare);
    return run.mismatches == 0 && run.steps > 0 && run.steps < STEPS_MAX ? 0
                                                                         : 1;
}
