/*
 * The agent's end of the socket: one request and one reply per connection,
 * nothing stays open. The protocol stands in profiler/wire/message.h.
 */
#ifndef PROFILER_AGENT_LINK_H
#define PROFILER_AGENT_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/wire/message.h"

/*
 * Send a request to the collector of `session` (NAME.SECRET) and wait for the
 * reply.
 *
 *   fd          goes along; stays the caller's; -1: none
 *   text        goes along with WIRE_FAILED; NULL: none
 *   timeout_ms  to be let in, and for the reply; negative: for ever
 *   returns     false when there is no collector, it is somebody else's, or no
 *               valid reply came in time
 */
bool prof_link_ask(
    const char *session, enum wire_message_type type, int fd, const char *text,
    int timeout_ms, struct wire_reply *reply);

/*
 * HELLO: sends the segment `fd`, which stays the caller's.
 *
 *   tables     out: a descriptor that came with the reply, the caller's; or -1
 *   collector  out: the pid of whoever replied, as we see it; 0: it is not in
 *              our name space
 *   returns    as prof_link_ask()
 */
bool prof_link_hello(
    const char *session, int fd, int timeout_ms, struct wire_reply *reply,
    int *tables, uint32_t *collector);

/* Tell the collector something that nobody answers; never waits. */
void prof_link_tell(const char *session, enum wire_message_type type);

/* Whether a socket can be had at all: descriptors and filters permit it. */
bool prof_link_is_possible(void);

#endif
