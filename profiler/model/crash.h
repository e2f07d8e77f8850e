/*
 * A crash, or another end of a process that somebody should hear of, in terms
 * of the profile model: the process, its threads and their stacks are a small
 * profile of its own, with one sample of the value "threads" for each thread.
 * The collector fills it in, the tools give names to its frames, exporters
 * write it.
 */
#ifndef PROFILER_MODEL_CRASH_H
#define PROFILER_MODEL_CRASH_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/model/profile.h"

#define PROF_CRASH_REGISTERS  24
#define PROF_CRASH_TEXT_BYTES 1024

/* What is known of the end. */
enum prof_crash_kind {
    PROF_CRASH_CAUGHT,  /* a signal that the agent wrote down */
    PROF_CRASH_KILLED,  /* a signal, and no more is known */
    PROF_CRASH_OOM,     /* the OOM killer, by the count of its control group */
    PROF_CRASH_EXITED,  /* with a status other than 0 */
    PROF_CRASH_UNKNOWN, /* it ended without a word, status unknown */
};

struct prof_crash {
    struct prof_profile *profile; /* owned */
    enum prof_crash_kind kind;
    uint32_t process; /* in the profile */
    uint32_t thread;  /* that crashed; PROF_NONE: not known */

    /* As in siginfo_t; 0 where there was no signal. */
    int signal, code, error;
    bool is_fault;    /* `address` is where; else `sender` is who sent it */
    uint64_t address; /* of the data or of the code */
    uint32_t sender;
    int reason; /* of SIGSYS: the system call */

    struct prof_crash_register {
        const char *name;
        uint64_t value;
    } registers[PROF_CRASH_REGISTERS];
    uint32_t register_count;

    /* In a handler of the program's, which exited or did not come back. */
    bool is_in_handler;

    /* As wait(2) tells it, where that is known. */
    bool is_status_known;
    int wait_status;

    /* How many arguments its command had; which, is the profile's origin. */
    uint32_t argument_count;

    uint64_t time_ns, unix_ns; /* CLOCK_MONOTONIC, CLOCK_REALTIME */
    uint64_t start_unix_ns;    /* of the process */

    /* "" when there are none: what abort() or assert() said, and of a C++
       exception in flight its type, mangled, and its what(). */
    char message[PROF_CRASH_TEXT_BYTES];
    char exception_type[PROF_CRASH_TEXT_BYTES];
    char exception_what[PROF_CRASH_TEXT_BYTES];
};

/* An empty one; NULL when out of memory. */
struct prof_crash *prof_crash_create(void);
void prof_crash_destroy(struct prof_crash *crash); /* NULL is accepted */

/* The sample of a thread; NULL: its stack is not known. */
const struct prof_sample *prof_crash_stack(
    const struct prof_crash *crash, uint32_t thread);

/*
 * Whether the exception is what it ended for, and not one that was being
 * handled: by the names of the crashed thread's frames.
 */
bool prof_crash_is_uncaught(const struct prof_crash *crash);

/*
 * "SIGSEGV", or "signal 42"; and what a code means, "SEGV_MAPERR", or NULL. The
 * buffer holds what has to be made.
 */
#define PROF_SIGNAL_NAME_BYTES 24
const char *prof_signal_name(
    int signal, char buffer[static PROF_SIGNAL_NAME_BYTES]);
const char *prof_signal_code_name(int signal, int code);

/* Whether it says that a program broke, and was not told to end. */
bool prof_signal_is_crash(int signal);

/* Words for a person: "invalid memory access"; NULL for unusual signals. */
const char *prof_signal_text(int signal);

#endif
