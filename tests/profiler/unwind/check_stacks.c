/*
 * check_stacks eu-stack|gdb PROGRAM [ARG...]: the stacks of a sleeping program
 * against those that elfutils, or gdb, finds.
 *
 * The program is started and given until it sleeps; then every thread is
 * unwound from outside, and the other is asked for the same process.
 *
 * Exit status 0 when all threads agree, 1 when one does not, 77 when the
 * program, the other unwinder or the permission to look is missing.
 *
 * Ruling: eu-stack stops where it does not know a module (a JIT's code); of
 * such a thread the frames that it has are compared. gdb guesses there, by the
 * bytes of the code, and is not asked about such programs.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/profiler/unwind/remote.h"

enum { SKIP = 77, THREADS_MAX = 64, FRAMES_MAX = 256, LOOKS = 2000 };

struct thread {
    pid_t tid;
    uint64_t frames[FRAMES_MAX];
    struct prof_walk walk;
    uint32_t compared;
    bool differs;
};

static struct thread threads[THREADS_MAX];
static unsigned thread_count;

static void pause_ms(long ms)
{
    struct timespec time = {.tv_sec = 0, .tv_nsec = ms * 1000000};
    (void)nanosleep(&time, NULL);
}

static bool is_asleep(pid_t pid, pid_t tid)
{
    char path[64], text[512] = "";
    (void)snprintf(
        path, sizeof path, "/proc/%d/task/%d/stat", (int)pid, (int)tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    (void)!read(fd, text, sizeof text - 1);
    (void)close(fd);
    const char *end = strrchr(text, ')');
    return end != NULL && end[1] == ' ' && end[2] == 'S';
}

static bool list_threads(pid_t pid)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    bool all_asleep = tasks != NULL;
    thread_count = 0;
    for (struct dirent *entry;
         tasks != NULL && (entry = readdir(tasks)) != NULL;) {
        if (!isdigit((unsigned char)entry->d_name[0]) ||
            thread_count == THREADS_MAX)
            continue;
        pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
        threads[thread_count++] = (struct thread){.tid = tid};
        all_asleep = all_asleep && is_asleep(pid, tid);
    }
    if (tasks != NULL)
        (void)closedir(tasks);
    return all_asleep && thread_count > 0;
}

/* Asleep at two looks in a row, a while apart: it is there to stay. */
static bool wait_asleep(pid_t pid)
{
    unsigned in_row = 0;
    for (unsigned i = 0; i < LOOKS && in_row < 10; i++) {
        pause_ms(30);
        in_row = list_threads(pid) ? in_row + 1 : 0;
    }
    return in_row >= 10;
}

/* After a stop, back in the call it was in: from there on it looks the same. */
static bool wait_asleep_again(pid_t pid)
{
    for (unsigned i = 0; i < thread_count; i++) {
        unsigned looks = 0;
        while (!is_asleep(pid, threads[i].tid) && looks++ < LOOKS)
            pause_ms(30);
        if (looks > LOOKS)
            return false;
    }
    return true;
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

static bool walk_thread(struct remote *remote, struct thread *thread)
{
    struct user_regs_struct registers;
    struct prof_regs regs;
    int status;
    thread->walk =
        (struct prof_walk){.frames = thread->frames, .capacity = FRAMES_MAX};
    if (ptrace(PTRACE_SEIZE, thread->tid, NULL, NULL) != 0 ||
        ptrace(PTRACE_INTERRUPT, thread->tid, NULL, NULL) != 0 ||
        waitpid(thread->tid, &status, __WALL) != thread->tid ||
        ptrace(PTRACE_GETREGS, thread->tid, NULL, &registers) != 0)
        return false;
    to_regs(&registers, &regs);
    remote_walk(remote, &regs, false, &thread->walk);
    return ptrace(PTRACE_DETACH, thread->tid, NULL, NULL) == 0;
}

static struct thread *find_thread(pid_t tid)
{
    for (unsigned i = 0; i < thread_count; i++)
        if (threads[i].tid == tid)
            return &threads[i];
    return NULL;
}

static void compare_frame(struct thread *thread, uint32_t index, uint64_t pc)
{
    if (index >= thread->walk.count ||
        (thread->frames[index] & PROF_FRAME_ADDRESS) != pc) {
        thread->differs = true;
        fprintf(
            stderr,
            "thread %d, frame %u: theirs %" PRIx64 ", ours %" PRIx64
            " (%u frames, end %u)\n",
            (int)thread->tid, index, pc,
            index < thread->walk.count
                ? (uint64_t)(thread->frames[index] & PROF_FRAME_ADDRESS)
                : 0,
            thread->walk.count, thread->walk.end);
    }
    thread->compared = index + 1;
}

/* "TID 123:" and then lines of "#0  0x00007f... name", by gdb_frames.py too.
 */
static void compare_all(FILE *pipe)
{
    struct thread *thread = NULL;
    char line[4096];
    while (fgets(line, sizeof line, pipe) != NULL) {
        int tid;
        uint32_t index;
        uint64_t pc;
        if (sscanf(line, "TID %d:", &tid) == 1)
            thread = find_thread(tid);
        else if (
            thread != NULL && !thread->differs &&
            sscanf(line, "#%" SCNu32 " %" SCNx64, &index, &pc) == 2)
            compare_frame(thread, index, pc);
    }
}

static int judge(void)
{
    unsigned compared = 0;
    int result = 0;
    for (unsigned i = 0; i < thread_count; i++) {
        compared += threads[i].compared;
        if (threads[i].differs)
            result = 1;
    }
    printf("%u threads, %u frames compared\n", thread_count, compared);
    return compared == 0 ? SKIP : result;
}

static FILE *ask(const char *oracle, pid_t pid)
{
    char command[4200];
    if (strcmp(oracle, "gdb") == 0)
        (void)snprintf(
            command, sizeof command,
            "gdb -nx -batch -iex 'set debuginfod enabled off' -p %d "
            "-x '" GDB_FRAMES "' 2>/dev/null",
            (int)pid);
    else
        (void)snprintf(
            command, sizeof command, "eu-stack -n 250 -p %d 2>/dev/null",
            (int)pid);
    return popen(command, "r");
}

static int check(const char *oracle, pid_t pid)
{
    if (!wait_asleep(pid))
        return SKIP;
    struct remote *remote = remote_open(pid);
    bool is_walked = true;
    for (unsigned i = 0; i < thread_count; i++)
        is_walked = is_walked && walk_thread(remote, &threads[i]);
    remote_close(remote);
    if (!is_walked || !wait_asleep_again(pid))
        return SKIP;
    FILE *pipe = ask(oracle, pid);
    if (pipe == NULL)
        return SKIP;
    compare_all(pipe);
    (void)pclose(pipe);
    return judge();
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    pid_t pid = fork();
    if (pid == 0) {
        (void)execvp(argv[2], argv + 2);
        _exit(SKIP);
    }
    int result = check(argv[1], pid);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    return result;
}
