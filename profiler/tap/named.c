/* Who was asked for; see the header. */
#include "profiler/tap/named.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profiler/collector/process_files.h"

void prof_tap_named_init(struct prof_tap_named *named, int epoll)
{
    *named = (struct prof_tap_named){
        .rows.row_bytes = sizeof(struct prof_tap_named_row), .epoll = epoll};
}

void prof_tap_named_fini(struct prof_tap_named *named)
{
    for (uint32_t i = 0; i < named->rows.count; i++) {
        const struct prof_tap_named_row *row = table_row(&named->rows, i);
        if (row->pidfd >= 0)
            (void)close(row->pidfd);
    }
    table_fini(&named->rows);
}

enum status prof_tap_named_add(
    struct prof_tap_named *named, uint32_t pid, uint32_t tid, struct diag *diag)
{
    struct prof_tap_named_row row = {
        .pid = pid, .tid = tid, .pidfd = (int)syscall(SYS_pidfd_open, pid, 0)};
    struct epoll_event event = {.events = EPOLLIN, .data.fd = row.pidfd};
    if (table_add(&named->rows, &row) == TABLE_NONE) {
        if (row.pidfd >= 0)
            (void)close(row.pidfd);
        return fail(diag, STATUS_NO_MEMORY, "out of memory");
    }
    if (row.pidfd >= 0)
        (void)epoll_ctl(named->epoll, EPOLL_CTL_ADD, row.pidfd, &event);
    return STATUS_OK;
}

bool prof_tap_named_has(const struct prof_tap_named *named, uint32_t pid)
{
    for (uint32_t i = 0; i < named->rows.count; i++) {
        const struct prof_tap_named_row *row = table_row(&named->rows, i);
        if (row->pid == pid)
            return true;
    }
    return false;
}

static bool has_ended(const struct prof_tap_named_row *row)
{
    struct pollfd ended = {.fd = row->pidfd, .events = POLLIN};
    if (row->pidfd >= 0 && poll(&ended, 1, 0) > 0)
        return true;
    if (row->pidfd < 0 && kill((pid_t)row->pid, 0) != 0)
        return errno == ESRCH;
    return row->tid != 0 && !prof_process_files_has_thread(row->pid, row->tid);
}

bool prof_tap_named_are_over(const struct prof_tap_named *named)
{
    for (uint32_t i = 0; i < named->rows.count; i++) {
        if (!has_ended(table_row(&named->rows, i)))
            return false;
    }
    return true;
}

void prof_tap_named_forget_ended(struct prof_tap_named *named)
{
    for (uint32_t i = 0; i < named->rows.count; i++) {
        const struct prof_tap_named_row *row = table_row(&named->rows, i);
        if (row->pidfd >= 0 && has_ended(row))
            (void)epoll_ctl(named->epoll, EPOLL_CTL_DEL, row->pidfd, NULL);
    }
}
