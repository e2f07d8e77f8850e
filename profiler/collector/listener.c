/* The collector's end of the socket. */
#include "profiler/collector/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "profiler/wire/version.h"

enum {
    NAME_DIGITS = 16,
    STRANGERS = 16,        /* of them wait at once */
    ACCEPTED_AT_ONCE = 128 /* then rings come first */
};

void prof_listener_init(struct prof_listener *listener)
{
    *listener = (struct prof_listener){
        .socket = -1,
        .epoll = -1,
        .own = {.count = PROF_CONNECTIONS},
        .strangers = {.count = STRANGERS}};
    for (int i = 0; i < PROF_CONNECTIONS; i++)
        listener->own.connections[i] = listener->strangers.connections[i] = -1;
}

enum status prof_listener_open(
    struct prof_listener *listener, struct diag *diag)
{
    prof_listener_init(listener);
    unsigned char random[(NAME_DIGITS + WIRE_SECRET_BYTES) / 2];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return fail(diag, STATUS_SYSTEM, "make a session");
    char *at = listener->session;
    for (size_t i = 0; i < sizeof random; i++)
        at += sprintf(at, i == NAME_DIGITS / 2 ? ".%02x" : "%02x", random[i]);

    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(
        address.sun_path + 1, sizeof address.sun_path - 1, "watchfire-%.*s",
        NAME_DIGITS, listener->session);
    socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1) +
                      (socklen_t)length;

    listener->socket =
        socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener->socket < 0 ||
        bind(listener->socket, (struct sockaddr *)&address, bytes) < 0 ||
        listen(listener->socket, SOMAXCONN) < 0) {
        enum status status =
            fail(diag, STATUS_SYSTEM, "make a socket for the agents");
        prof_listener_close(listener);
        return status;
    }
    return STATUS_OK;
}

enum status prof_listener_adopt(
    struct prof_listener *listener, int socket, const char *session,
    struct diag *diag)
{
    prof_listener_init(listener);
    if (session == NULL ||
        strlen(session) != NAME_DIGITS + 1 + WIRE_SECRET_BYTES ||
        session[NAME_DIGITS] != '.')
        return fail(diag, STATUS_USAGE, "WATCHFIRE_SESSION is not NAME.SECRET");
    int flags = fcntl(socket, F_GETFL);
    if (flags < 0 || fcntl(socket, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(socket, F_SETFD, FD_CLOEXEC) < 0)
        return fail(diag, STATUS_SYSTEM, "use the agents' socket");
    memcpy(listener->session, session, strlen(session) + 1);
    listener->socket = socket;
    return STATUS_OK;
}

static void close_all(struct prof_guests *guests)
{
    for (unsigned i = 0; i < guests->count; i++) {
        if (guests->connections[i] >= 0)
            (void)close(guests->connections[i]);
    }
}

void prof_listener_close(struct prof_listener *listener)
{
    close_all(&listener->own);
    close_all(&listener->strangers);
    if (listener->socket >= 0)
        (void)close(listener->socket);
    prof_listener_init(listener);
}

static bool watch(const struct prof_listener *listener, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(listener->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

enum status prof_listener_watch(
    struct prof_listener *listener, int epoll, struct diag *diag)
{
    listener->epoll = epoll;
    return watch(listener, listener->socket)
               ? STATUS_OK
               : fail(diag, STATUS_SYSTEM, "watch the agents' socket");
}

/* The kernel's word for who is at the other end. */
static bool read_peer(int connection, struct ucred *peer)
{
    socklen_t bytes = sizeof *peer;
    return getsockopt(connection, SOL_SOCKET, SO_PEERCRED, peer, &bytes) == 0 &&
           peer->pid > 0;
}

static bool is_own(const struct prof_listener *listener, uid_t uid)
{
    bool is_known = uid == 0 || uid == geteuid();
    for (unsigned i = 0; i < listener->known_count; i++)
        is_known |= listener->known[i] == uid;
    return is_known;
}

/* Of the program when it runs as another user: sudo, setuid(2). */
static void note_user(struct prof_listener *listener, uid_t uid)
{
    if (!is_own(listener, uid) && listener->known_count < PROF_KNOWN_USERS)
        listener->known[listener->known_count++] = uid;
}

/* A full table gives up its oldest, silent connection. */
static void keep(struct prof_guests *guests, int fd)
{
    int *slot = &guests->connections[guests->oldest];
    guests->oldest = (guests->oldest + 1) % guests->count;
    if (*slot >= 0)
        (void)close(*slot);
    *slot = fd;
}

static void accept_some(struct prof_listener *listener)
{
    for (int i = 0; i < ACCEPTED_AT_ONCE; i++) {
        struct ucred peer;
        int fd =
            accept4(listener->socket, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        if (!read_peer(fd, &peer)) {
            (void)close(fd);
            continue;
        }
        keep(
            is_own(listener, peer.uid) ? &listener->own : &listener->strangers,
            fd);
        if (listener->epoll >= 0)
            (void)watch(listener, fd);
    }
}

static bool is_secret(
    const struct prof_listener *listener, const struct wire_message *message)
{
    const char *secret = listener->session + NAME_DIGITS + 1;
    unsigned different = 0;
    /* All of it, so that the time tells nothing of where it differs. */
    for (unsigned i = 0; i < WIRE_SECRET_BYTES; i++)
        different |= (unsigned char)(secret[i] ^ message->secret[i]);
    return different == 0;
}

/* Keep the first descriptor that came along, close any other. */
static int take_descriptor(struct msghdr *received)
{
    int kept = -1;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(received); part;
         part = CMSG_NXTHDR(received, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
            if (kept < 0)
                kept = fd;
            else
                (void)close(fd);
        }
    }
    return kept;
}

/* Of whatever version, by what is the same in all of them. */
static bool is_request(
    const struct prof_listener *listener, const struct wire_message *message,
    size_t bytes)
{
    if (bytes < offsetof(struct wire_message, text) ||
        message->magic != WIRE_MAGIC || !is_secret(listener, message))
        return false;
    return message->version != WIRE_VERSION || bytes == sizeof *message;
}

/*
 * Read the request of one connection; -1 with EAGAIN while nothing has come.
 */
static int receive(
    struct prof_listener *listener, int connection,
    struct prof_request *request)
{
    union {
        char bytes[CMSG_SPACE(4 * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = {
        .iov_base = &request->message, .iov_len = sizeof request->message};
    struct msghdr received = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control};
    ssize_t bytes = recvmsg(connection, &received, MSG_CMSG_CLOEXEC);
    if (bytes < 0)
        return -1;

    struct ucred peer;
    request->connection = connection;
    request->fd = take_descriptor(&received);
    request->message.text[sizeof request->message.text - 1] = '\0';
    if (is_request(listener, &request->message, (size_t)bytes) &&
        read_peer(connection, &peer)) {
        note_user(listener, peer.uid);
        request->pid = (uint32_t)peer.pid;
        return 1;
    }
    if (request->fd >= 0)
        (void)close(request->fd);
    return 0;
}

static bool take_from(
    struct prof_listener *listener, struct prof_guests *guests,
    struct prof_request *request)
{
    for (unsigned i = 0; i < guests->count; i++) {
        /* The oldest first. */
        int *slot = &guests->connections[(guests->oldest + i) % guests->count];
        if (*slot < 0)
            continue;
        int connection = *slot;
        int result = receive(listener, connection, request);
        if (result < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        *slot = -1;
        if (result > 0) {
            /* An answer may take long; whether it hangs up is no event. */
            if (listener->epoll >= 0)
                (void)epoll_ctl(
                    listener->epoll, EPOLL_CTL_DEL, connection, NULL);
            return true;
        }
        (void)close(connection);
    }
    return false;
}

bool prof_listener_next(
    struct prof_listener *listener, struct prof_request *request)
{
    accept_some(listener);
    return take_from(listener, &listener->own, request) ||
           take_from(listener, &listener->strangers, request);
}

void prof_listener_answer(int connection, const struct wire_reply *reply)
{
    prof_listener_answer_with(connection, reply, -1);
}

void prof_listener_answer_with(
    int connection, const struct wire_reply *reply, int fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr header;
    } control = {
        .header = {
            .cmsg_len = CMSG_LEN(sizeof(int)),
            .cmsg_level = SOL_SOCKET,
            .cmsg_type = SCM_RIGHTS}};
    struct iovec part = {
        .iov_base = (void *)(uintptr_t)reply, .iov_len = sizeof *reply};
    struct msghdr answer = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = fd >= 0 ? &control : NULL,
        .msg_controllen = fd >= 0 ? sizeof control : 0};
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    (void)sendmsg(connection, &answer, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)close(connection);
}
