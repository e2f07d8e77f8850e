/* The threads of our own process; see the header. */
#include "profiler/agent/tasks.h"

#include "profiler/agent/sys.h"

#include <fcntl.h>

enum { PATH_BYTES = 64, STATUS_BYTES = 1024 };

struct kernel_dirent {
    uint64_t inode;
    int64_t next;
    uint16_t bytes;
    uint8_t type;
    char name[];
};

static int parse_tid(const char *text)
{
    int tid = 0;
    for (; *text >= '0' && *text <= '9'; text++)
        tid = tid * 10 + (*text - '0');
    return *text == '\0' ? tid : 0;
}

bool prof_tasks_visit(prof_task_visit *visit, void *owner)
{
    int fd = (int)sys_call4(
        __NR_openat, (long)AT_FDCWD, "/proc/self/task",
        (long)(O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0L);
    if (fd < 0)
        return false;
    _Alignas(struct kernel_dirent) char buffer[1024];
    long bytes;
    while ((bytes = sys_call3(
                __NR_getdents64, (long)fd, buffer, sizeof buffer)) > 0) {
        for (long at = 0; at < bytes;) {
            const struct kernel_dirent *entry = (void *)(buffer + at);
            int tid = parse_tid(entry->name);
            if (tid > 0)
                visit(owner, tid);
            at += entry->bytes;
        }
    }
    (void)sys_close(fd);
    return true;
}

static char *append(char *at, const char *text)
{
    while (*text != '\0')
        *at++ = *text++;
    *at = '\0';
    return at;
}

static char *append_number(char *at, int number)
{
    char digits[12];
    unsigned count = 0;
    for (; number > 0 && count < sizeof digits; number /= 10)
        digits[count++] = (char)('0' + number % 10);
    while (count > 0)
        *at++ = digits[--count];
    *at = '\0';
    return at;
}

bool prof_task_read(int tid, const char *name, char *text, size_t bytes)
{
    char path[PATH_BYTES];
    char *at = append(path, "/proc/self/task/");
    at = append_number(at, tid);
    at = append(at, "/");
    (void)append(at, name);
    int fd = (int)sys_call4(
        __NR_openat, (long)AT_FDCWD, path, (long)(O_RDONLY | O_CLOEXEC), 0L);
    if (fd < 0)
        return false;
    long got = sys_call3(__NR_read, (long)fd, text, bytes - 1);
    (void)sys_close(fd);
    text[got > 0 ? got : 0] = '\0';
    return got > 0;
}

const char *prof_task_find(const char *text, const char *name)
{
    for (; *text != '\0'; text++) {
        const char *at = text, *wanted = name;
        while (*wanted != '\0' && *at == *wanted) {
            at++;
            wanted++;
        }
        if (*wanted == '\0')
            return at;
    }
    return NULL;
}

uint64_t prof_task_hex(const char *text)
{
    uint64_t value = 0;
    if (text[0] == '0' && text[1] == 'x')
        text += 2;
    for (;; text++) {
        unsigned digit = (unsigned char)*text;
        if (digit - '0' < 10)
            value = value << 4 | (digit - '0');
        else if (digit - 'a' < 6)
            value = value << 4 | (digit - 'a' + 10);
        else
            return value;
    }
}

/* The last one of a line of numbers with tabs between them. */
static int last_number(const char *line)
{
    int last = 0;
    for (int number = 0; *line != '\0' && *line != '\n'; line++) {
        bool is_digit = *line >= '0' && *line <= '9';
        number = is_digit ? number * 10 + (*line - '0') : 0;
        last = is_digit ? number : last;
    }
    return last;
}

/* As the thread calls itself: proc_pid_status(5). 0: it is gone. */
static int inner_tid(int listed)
{
    char text[STATUS_BYTES];
    if (!prof_task_read(listed, "status", text, sizeof text))
        return 0;
    const char *line = prof_task_find(text, "\nNSpid:\t");
    return line != NULL ? last_number(line) : listed;
}

struct own_visit {
    prof_task_visit *visit;
    void *owner;
    int tid; /* ours */
    bool is_listed;
};

static void note_listed(void *owner, int tid)
{
    struct own_visit *own = owner;
    own->is_listed |= tid == own->tid;
}

static void visit_own(void *owner, int listed)
{
    const struct own_visit *own = owner;
    int tid = inner_tid(listed);
    if (tid > 0)
        own->visit(own->owner, tid);
}

bool prof_tasks_visit_own(prof_task_visit *visit, void *owner)
{
    struct own_visit own = {visit, owner, (int)sys_gettid(), false};
    if (!prof_tasks_visit(note_listed, &own))
        return false;
    return own.is_listed ? prof_tasks_visit(visit, owner)
                         : prof_tasks_visit(visit_own, &own);
}
