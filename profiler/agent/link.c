/* The agent's end of the socket. */
#include "profiler/agent/link.h"

#include "profiler/agent/sys.h"
#include "profiler/wire/version.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

static const char name_prefix[] = "watchfire-";

/* Copies without calling memcpy, which a freestanding core does not have. */
static void copy(void *to, const void *from, size_t bytes)
{
    volatile char *out = to;
    for (size_t i = 0; i < bytes; i++)
        out[i] = ((const char *)from)[i];
}

static size_t text_length(const char *text)
{
    size_t length = 0;
    while (text[length] != '\0')
        length++;
    return length;
}

/* The abstract address of the session's NAME; 0 when it is no session. */
static socklen_t session_address(
    const char *session, struct sockaddr_un *address)
{
    size_t prefix = sizeof name_prefix - 1, name = 0;
    while (session[name] != '.' && session[name] != '\0')
        name++;
    if (session[name] != '.' ||
        text_length(session + name + 1) != WIRE_SECRET_BYTES ||
        1 + prefix + name > sizeof address->sun_path)
        return 0;

    address->sun_family = AF_UNIX;
    address->sun_path[0] = '\0';
    copy(address->sun_path + 1, name_prefix, prefix);
    copy(address->sun_path + 1 + prefix, session, name);
    return (
        socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + prefix + name);
}

static const char *session_secret(const char *session)
{
    while (*session != '.')
        session++;
    return session + 1;
}

/* Anyone can bind an abstract name; only root and we ourselves may serve. */
static bool is_trusted(int fd)
{
    struct ucred peer;
    socklen_t bytes = sizeof peer;
    long result = sys_call5(
        __NR_getsockopt, (long)fd, (long)SOL_SOCKET, (long)SO_PEERCRED, &peer,
        &bytes);
    return result == 0 &&
           (peer.uid == 0 || (long)peer.uid == sys_call0(__NR_getuid) ||
            (long)peer.uid == sys_call0(__NR_geteuid));
}

/*
 * connect(2) waits while the collector's queue is full, which others can fill;
 * sends have the same limit.
 */
static void limit_wait(int fd, int timeout_ms)
{
    struct {
        int64_t seconds, microseconds; /* as the kernel reads a timeval */
    } limit = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
    if (timeout_ms >= 0)
        (void)sys_call5(
            __NR_setsockopt, (long)fd, (long)SOL_SOCKET, (long)SO_SNDTIMEO,
            &limit, (long)sizeof limit);
}

static int session_connect(const char *session, int flags, int timeout_ms)
{
    struct sockaddr_un address;
    socklen_t bytes = session_address(session, &address);
    if (bytes == 0)
        return -EINVAL;

    int fd = (int)sys_call3(
        __NR_socket, (long)AF_UNIX,
        (long)(SOCK_SEQPACKET | SOCK_CLOEXEC | flags), 0L);
    if (fd < 0)
        return fd;
    limit_wait(fd, timeout_ms);
    if (sys_call3(__NR_connect, (long)fd, &address, (long)bytes) < 0 ||
        !is_trusted(fd)) {
        (void)sys_close(fd);
        return -ECONNREFUSED;
    }
    return fd;
}

static bool send_message(int socket, const struct wire_message *message, int fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr header;
    } control;
    struct iovec part = {
        .iov_base = (void *)(uintptr_t)message, .iov_len = sizeof *message};
    struct msghdr request = {.msg_iov = &part, .msg_iovlen = 1};

    if (fd >= 0) {
        control.header = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof(int)),
            .cmsg_level = SOL_SOCKET,
            .cmsg_type = SCM_RIGHTS};
        copy(CMSG_DATA(&control.header), &fd, sizeof fd);
        request.msg_control = &control;
        request.msg_controllen = sizeof control;
    }
    return sys_call3(
               __NR_sendmsg, (long)socket, &request, (long)MSG_NOSIGNAL) ==
           (long)sizeof *message;
}

/* What may come with a reply. */
struct gift {
    int fd;       /* -1: none */
    uint32_t pid; /* of who sent it, by the kernel; 0: not in our name space */
};

static void read_control(const char *control, size_t bytes, struct gift *gift)
{
    struct cmsghdr header;
    for (size_t at = 0; bytes - at >= sizeof header;) {
        copy(&header, control + at, sizeof header);
        if (header.cmsg_len < sizeof header || header.cmsg_len > bytes - at)
            return;
        const char *data = control + at + sizeof header;
        if (header.cmsg_level == SOL_SOCKET && header.cmsg_type == SCM_RIGHTS &&
            header.cmsg_len >= CMSG_LEN(sizeof gift->fd))
            copy(&gift->fd, data, sizeof gift->fd);
        if (header.cmsg_level == SOL_SOCKET &&
            header.cmsg_type == SCM_CREDENTIALS &&
            header.cmsg_len >= CMSG_LEN(sizeof(struct ucred)))
            copy(
                &gift->pid, data + offsetof(struct ucred, pid),
                sizeof gift->pid);
        if (CMSG_ALIGN(header.cmsg_len) >= bytes - at)
            return;
        at += CMSG_ALIGN(header.cmsg_len);
    }
}

/* What is the same in all versions tells whether the rest can be read. */
static bool is_reply(struct wire_reply *reply, long bytes)
{
    static const char other[] =
        "nothing is sampled: the watchfire command and its library are of "
        "different versions; install both from one build";
    if (bytes < (long)offsetof(struct wire_reply, actions) ||
        reply->magic != WIRE_MAGIC)
        return false;
    if (reply->version == WIRE_VERSION)
        return bytes == (long)sizeof *reply;
    copy(reply->text, other, sizeof other);
    return false;
}

static bool read_reply(int socket, struct wire_reply *reply, struct gift *gift)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
        struct cmsghdr header;
    } control;
    struct iovec part = {.iov_base = reply, .iov_len = sizeof *reply};
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = gift != NULL ? &control : NULL,
        .msg_controllen = gift != NULL ? sizeof control : 0};
    long bytes = sys_call3(
        __NR_recvmsg, (long)socket, &message,
        (long)(MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
    if (bytes > 0 && gift != NULL)
        read_control(control.bytes, message.msg_controllen, gift);
    return is_reply(reply, bytes);
}

/*
 * The kernel writes the time that is left back into `left`, so a signal of the
 * program's does not start the wait anew.
 */
static bool receive_reply(
    int socket, int timeout_ms, struct wire_reply *reply, struct gift *gift)
{
    struct pollfd wait = {.fd = socket, .events = POLLIN};
    struct timespec left = {
        .tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L};
    long ready;
    do {
        ready = sys_call5(
            __NR_ppoll, &wait, 1L, timeout_ms < 0 ? NULL : &left, (void *)NULL,
            8L);
    } while (ready == -EINTR);
    return ready == 1 && read_reply(socket, reply, gift);
}

static struct wire_message make_message(
    const char *session, enum wire_message_type type)
{
    struct wire_message message = {
        .magic = WIRE_MAGIC,
        .version = WIRE_VERSION,
        .type = type,
        .pid = (uint32_t)sys_getpid()};
    copy(message.secret, session_secret(session), WIRE_SECRET_BYTES);
    return message;
}

void prof_link_tell(const char *session, enum wire_message_type type)
{
    int socket = session_connect(session, SOCK_NONBLOCK, -1);
    if (socket < 0)
        return;
    struct wire_message message = make_message(session, type);
    (void)send_message(socket, &message, -1);
    (void)sys_close(socket);
}

static bool ask(
    const char *session, enum wire_message_type type, int fd, const char *text,
    int timeout_ms, struct wire_reply *reply, struct gift *gift)
{
    int socket = session_connect(session, 0, timeout_ms), yes = 1;
    if (socket < 0)
        return false;
    if (gift != NULL)
        (void)sys_call5(
            __NR_setsockopt, (long)socket, (long)SOL_SOCKET, (long)SO_PASSCRED,
            &yes, (long)sizeof yes);

    struct wire_message message = make_message(session, type);
    if (text != NULL) {
        size_t length = text_length(text);
        if (length >= sizeof message.text)
            length = sizeof message.text - 1;
        copy(message.text, text, length);
    }

    bool is_answered = send_message(socket, &message, fd) &&
                       receive_reply(socket, timeout_ms, reply, gift);
    (void)sys_close(socket);
    return is_answered;
}

bool prof_link_ask(
    const char *session, enum wire_message_type type, int fd, const char *text,
    int timeout_ms, struct wire_reply *reply)
{
    return ask(session, type, fd, text, timeout_ms, reply, NULL);
}

bool prof_link_hello(
    const char *session, int fd, int timeout_ms, struct wire_reply *reply,
    int *tables, uint32_t *collector)
{
    struct gift gift = {.fd = -1};
    bool is_answered =
        ask(session, WIRE_HELLO, fd, NULL, timeout_ms, reply, &gift);
    *tables = gift.fd;
    *collector = gift.pid;
    return is_answered;
}

bool prof_link_is_possible(void)
{
    long fd = sys_call3(
        __NR_socket, (long)AF_UNIX, (long)(SOCK_SEQPACKET | SOCK_CLOEXEC), 0L);
    if (fd < 0)
        return false;
    (void)sys_close((int)fd);
    return true;
}
