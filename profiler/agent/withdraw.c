/*
 * Ending sampling from within. The collector closes the events; the timers are
 * the process's own. The kernel lists them (proc(5), /proc/PID/timers), and
 * ours are told by their value:
 *
 *     ID: 3
 *     signal: 27/5761746368666972
 */
#include "profiler/agent/withdraw.h"

#include "profiler/agent/link.h"
#include "profiler/agent/sig_core.h"
#include "profiler/agent/sys.h"
#include "profiler/wire/cookie.h"

#include <fcntl.h>

enum { LINE_BYTES = 64, ANSWER_TIMEOUT_MS = 2000 };

struct line_reader {
    int fd;
    uint32_t at, end;
    char bytes[512];
};

/* The next line without its end, cut where it is too long; false: none. */
static bool read_line(struct line_reader *reader, char *line)
{
    uint32_t length = 0;
    bool is_any = false;
    for (;;) {
        if (reader->at == reader->end) {
            long got = sys_call3(
                __NR_read, (long)reader->fd, reader->bytes,
                sizeof reader->bytes);
            reader->at = 0;
            reader->end = got > 0 ? (uint32_t)got : 0;
            if (got <= 0)
                break;
        }
        is_any = true;
        char byte = reader->bytes[reader->at++];
        if (byte == '\n')
            break;
        if (length + 1 < LINE_BYTES)
            line[length++] = byte;
    }
    line[length] = '\0';
    return is_any;
}

/* What follows `prefix`, or NULL. */
static const char *after(const char *line, const char *prefix)
{
    for (; *prefix != '\0'; line++, prefix++) {
        if (*line != *prefix)
            return NULL;
    }
    return line;
}

static bool is_cookie(const char *digits)
{
    uint64_t value = 0;
    for (; *digits != '\0'; digits++)
        value = value << 4 |
                (uint64_t)(*digits <= '9' ? *digits - '0' : *digits - 'a' + 10);
    return value == WIRE_COOKIE;
}

/* How many; a list that shrinks while it is read shows only a part. */
static uint32_t delete_timers(void)
{
    uint32_t count = 0;
    struct line_reader reader = {
        .fd = (int)sys_call4(
            __NR_openat, (long)AT_FDCWD, "/proc/self/timers",
            (long)(O_RDONLY | O_CLOEXEC), 0L)};
    if (reader.fd < 0)
        return 0;
    char line[LINE_BYTES];
    long timer = 0;
    while (read_line(&reader, line)) {
        const char *id = after(line, "ID: ");
        const char *value = after(line, "signal: 27/");
        if (id != NULL) {
            timer = 0;
            for (; *id >= '0' && *id <= '9'; id++)
                timer = timer * 10 + (*id - '0');
        }
        if (value != NULL && is_cookie(value))
            count += sys_call1(__NR_timer_delete, timer) == 0;
    }
    (void)sys_close(reader.fd);
    return count;
}

void prof_core_withdraw(const char *reason)
{
    if (!prof_core_is_ours())
        return;
    struct wire_reply reply;
    (void)prof_link_ask(
        prof_core.config.session, WIRE_FAILED, -1, reason, ANSWER_TIMEOUT_MS,
        &reply);
    while (delete_timers() > 0)
        ;
    atomic_store_explicit(&prof_core.is_active, 0, memory_order_relaxed);
}
