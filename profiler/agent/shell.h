/*
 * The shell that preloads the core: what only libc and the loader know. Its
 * files interpose functions of libc; each calls the real one and adds no
 * behaviour that the program could see.
 */
#ifndef PROFILER_AGENT_SHELL_H
#define PROFILER_AGENT_SHELL_H

#include <stdbool.h>

/* Makes a symbol of ours stand before libc's. */
#define INTERPOSE __attribute__((visibility("default")))

/* The next definition of the calling function's name: libc's. */
void *shell_next(const char *name);

/*
 * Start a collector for this process tree.
 *
 *   session  out: NAME.SECRET; `session_bytes` of room
 *   reason   out, on failure: static storage
 */
bool shell_start_collector(
    char *session, unsigned session_bytes, const char **reason);

/* Publish every module's code that was not published yet. */
void shell_publish_modules(void);

/* Tell which of the published modules are gone. */
void shell_retire_modules(void);

/* At exit, by whichever door: account, and wait for outputs. */
void shell_leave(void);

#endif
