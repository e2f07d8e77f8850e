/*
 * The collector's end of the socket: takes one request per connection, checks
 * that the sender belongs to the session, and answers.
 */
#ifndef PROFILER_COLLECTOR_LISTENER_H
#define PROFILER_COLLECTOR_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/wire/message.h"

#define PROF_SESSION_BYTES 64

/* Waiting at once; more evict the oldest. */
#define PROF_CONNECTIONS   64

/* Users who may have proved that they know the secret. */
#define PROF_KNOWN_USERS   8

/*
 * Anybody on this machine can connect to an abstract name. A stranger is who
 * is neither root, nor our user, nor one of whom somebody knew the secret;
 * strangers evict only each other.
 */
struct prof_guests {
    unsigned oldest, count;
    int connections[PROF_CONNECTIONS]; /* accepted, nothing read; -1: free */
};

struct prof_listener {
    char session[PROF_SESSION_BYTES]; /* NAME.SECRET, for WATCHFIRE_SESSION */
    int socket;
    struct prof_guests own, strangers;
    uint32_t known[PROF_KNOWN_USERS];
    unsigned known_count;
    int epoll; /* that watches them; borrowed; -1: none */
};

/* A request that was read from a connection. */
struct prof_request {
    int connection; /* answer and close with prof_listener_answer() */
    uint32_t pid;   /* the kernel's word for who sent it, as we see it */
    int fd;         /* that came along; -1: none; the receiver's to close */
    struct wire_message message;
};

/* One that is closed. */
void prof_listener_init(struct prof_listener *listener);

/* A new session with a name and secret of its own. */
MUST_CHECK enum status prof_listener_open(
    struct prof_listener *listener, struct diag *diag);

/* Take over a listening socket that was made for `session`. */
MUST_CHECK enum status prof_listener_adopt(
    struct prof_listener *listener, int socket, const char *session,
    struct diag *diag);

void prof_listener_close(struct prof_listener *listener);

/*
 * Take the next request, without waiting. Requests without the secret are
 * dropped; of one of another version, only what is before the text is known.
 * False: there is none, or so many connected that other work comes first. Call
 * when the socket or a connection is readable.
 */
bool prof_listener_next(
    struct prof_listener *listener, struct prof_request *request);

/*
 * Let `epoll` watch the socket and every connection that has not spoken yet.
 * It stays the caller's and must outlive the listener.
 */
MUST_CHECK enum status prof_listener_watch(
    struct prof_listener *listener, int epoll, struct diag *diag);

/* Answer and close the connection. */
void prof_listener_answer(int connection, const struct wire_reply *reply);

/* The same, and send the descriptor `fd`, which stays the caller's; -1: no. */
void prof_listener_answer_with(
    int connection, const struct wire_reply *reply, int fd);

#endif
