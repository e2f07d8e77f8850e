/*
 * libwatchfire.so's constructor and destructor: finds or starts the collector
 * and hands over to the core.
 */
#include "profiler/agent/shell.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "profiler/agent/core.h"
#include "profiler/agent/shell_alternate.h"
#include "profiler/agent/shell_between.h"
#include "profiler/agent/shell_engine.h"
#include "profiler/agent/sig_crash.h"
#include "profiler/unwind/reference.h"

static char session[128];
static bool is_first; /* of its tree: it has started the collector */

/*
 * Where glibc keeps a thread's kernel id, as it tells debuggers: nptl_db's
 * description of a field is {bits, count, offset}. Used only when it proves
 * right for the calling thread.
 */
static uint32_t find_tid_offset(void)
{
    const uint32_t *field =
        dlvsym(RTLD_DEFAULT, "_thread_db_pthread_tid", "GLIBC_PRIVATE");
    if (field == NULL || field[0] != 32 || field[2] >= 4096)
        return 0;
    const char *thread = __builtin_thread_pointer();
    int tid;
    memcpy(&tid, thread + field[2], sizeof tid);
    return tid == gettid() ? field[2] : 0;
}

/*
 * glibc points to the message of an abort for debuggers, and libstdc++ keeps a
 * thread's exceptions at the same distance from every thread pointer, if it was
 * there from the start.
 */
static void find_crash_places(void)
{
    struct prof_crash_places places = {.abort_message_pc = 0};
    shell_dlsym_function *find = shell_real_dlsym();
    void *message = dlvsym(RTLD_DEFAULT, "__abort_msg", "GLIBC_PRIVATE");
    void *(*exceptions)(void) =
        find != NULL
            ? (void *(*)(void))find(RTLD_DEFAULT, "__cxa_get_globals_fast")
            : NULL;
    places.abort_message_pc = (uint64_t)(uintptr_t)message;
    if (exceptions != NULL)
        places.exceptions_offset = (const char *)exceptions() -
                                   (const char *)__builtin_thread_pointer();
    prof_core_set_places(&places);
}

static void complain(const char *reason)
{
    static const char prefix[] = "watchfire: ";
    char line[512];
    size_t used = sizeof prefix - 1, length = strlen(reason);
    if (length > sizeof line - used - 1)
        length = sizeof line - used - 1;
    memcpy(line, prefix, used);
    memcpy(line + used, reason, length);
    line[used + length] = '\n';
    /* One write, so that lines of several processes do not mix. */
    if (write(STDERR_FILENO, line, used + length + 1) < 0)
        return;
}

/* False when this process is not to be sampled. */
static bool find_session(void)
{
    const char *given = getenv("WATCHFIRE_SESSION");
    if (given != NULL) {
        size_t length = strlen(given);
        if (length >= sizeof session)
            return false;
        memcpy(session, given, length + 1);
        return true;
    }
    const char *reason = "";
    if (!shell_start_collector(session, sizeof session, &reason)) {
        complain(reason);
        return false;
    }
    is_first = true;
    return setenv("WATCHFIRE_SESSION", session, 1) == 0;
}

/* --unwinder=libunwind: loaded only when it is asked for. */
static const struct prof_engine *load_reference(const char **reason)
{
    const struct prof_engine *engine = prof_reference_engine(reason);
    if (engine != NULL)
        shell_mask_exempt(prof_reference_code());
    return engine;
}

void shell_restart_in_child(void)
{
    shell_engine_after_fork();
    shell_modules_after_fork();
    shell_threads_after_fork();
    prof_core_restart_in_child();
}

/* A hard limit is the collector's too, which is far larger than we are. */
static const char *why_no_answer(void)
{
    static char text[128] = "nothing is sampled: no collector answers";
    struct rlimit limit;
    size_t length = strlen(text);
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_max != RLIM_INFINITY)
        (void)snprintf(
            text + length, sizeof text - length, " (RLIMIT_AS is %llu)",
            (unsigned long long)limit.rlim_max);
    return text;
}

__attribute__((constructor)) static void shell_arrive(void)
{
    int saved_errno = errno;
    (void)shell_real();
    if (getenv("WATCHFIRE_DISABLE") == NULL && find_session()) {
        shell_between_ask();
        shell_spans_begin();
        char text[256];
        struct prof_core_config config = {
            .session = session,
            .engine = shell_engine_open(),
            .load_reference = load_reference,
            .mask_beliefs = shell_mask_beliefs,
            .tick_signal = SIGPROF,
            .alternate = shell_alternate_here,
            .own_timer = shell_threads_own_timer,
            .tid_offset = find_tid_offset()};
        /* Where there is a command, or a first process, that one speaks. */
        if (!prof_core_start(&config, text, sizeof text) && is_first)
            complain(*text ? text : why_no_answer());
        if (prof_crash_is_wanted(SIGABRT))
            find_crash_places();
        shell_alternate_begin_first();
        shell_mask_begin();
        (void)pthread_atfork(NULL, NULL, shell_restart_in_child);
    }
    errno = saved_errno;
}

void shell_leave(void)
{
    /* exit() ends in _exit(): the first of our two doors does it. */
    static bool has_left;
    if (has_left || !prof_core_is_ours())
        return;
    has_left = true;

    char text[256];
    prof_core_note_exit();
    shell_publish_last_modules();
    if (!prof_core_wait_for_outputs(text, sizeof text))
        complain(text);
}

__attribute__((destructor)) static void shell_depart(void)
{
    prof_crash_note_exit();
    shell_leave();
}
