/* A crash in terms of the profile model. */
#include "profiler/model/crash.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct prof_crash *prof_crash_create(void)
{
    struct prof_crash *crash = calloc(1, sizeof *crash);
    if (crash == NULL)
        return NULL;
    crash->process = crash->thread = PROF_NONE;
    crash->profile = prof_profile_create();
    if (crash->profile != NULL)
        return crash;
    free(crash);
    return NULL;
}

void prof_crash_destroy(struct prof_crash *crash)
{
    if (crash == NULL)
        return;
    prof_profile_destroy(crash->profile);
    free(crash);
}

const struct prof_sample *prof_crash_stack(
    const struct prof_crash *crash, uint32_t thread)
{
    for (uint32_t i = 0; i < prof_profile_sample_count(crash->profile); i++) {
        const struct prof_sample *sample =
            prof_profile_sample(crash->profile, i);
        if (sample->thread == thread)
            return sample->stack != PROF_NONE ? sample : NULL;
    }
    return NULL;
}

/* What an exception goes through that nobody catches, as far as libraries
   without symbols of their own name it. */
static bool is_of_terminate(const char *function)
{
    static const char *const names[] = {
        "std::terminate", "__cxxabiv1::__terminate", "__cxa_call_terminate",
        "__cxa_throw",    "__cxa_rethrow",           "__gxx_personality_v0"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strncmp(function, names[i], strlen(names[i])) == 0)
            return true;
    }
    return false;
}

bool prof_crash_is_uncaught(const struct prof_crash *crash)
{
    const struct prof_profile *profile = crash->profile;
    const struct prof_sample *sample = prof_crash_stack(crash, crash->thread);
    for (uint32_t at = sample ? sample->stack : PROF_NONE; at != PROF_NONE;
         at = prof_profile_stack(profile, at)->parent) {
        const struct prof_frame *frame =
            prof_profile_frame(profile, prof_profile_stack(profile, at)->frame);
        for (uint32_t i = 0; i < frame->line_count; i++) {
            uint32_t function =
                prof_profile_line(profile, frame->first_line + i)->function;
            if (is_of_terminate(prof_profile_text(profile, function)))
                return true;
        }
    }
    return false;
}

/* ---- names ---- */

struct name {
    int number;
    const char *name;
};

static const char *find(const struct name *names, size_t count, int number)
{
    for (size_t i = 0; i < count; i++) {
        if (names[i].number == number)
            return names[i].name;
    }
    return NULL;
}

#define FIND(names, number) find(names, sizeof(names) / sizeof *(names), number)
#define NAMED(number)                                                          \
    {                                                                          \
        number, #number                                                        \
    }

const char *prof_signal_name(
    int signal, char buffer[static PROF_SIGNAL_NAME_BYTES])
{
    const char *name = sigabbrev_np(signal);
    if (name != NULL)
        (void)snprintf(buffer, PROF_SIGNAL_NAME_BYTES, "SIG%s", name);
    else
        (void)snprintf(buffer, PROF_SIGNAL_NAME_BYTES, "signal %d", signal);
    return buffer;
}

/* Newer than glibc's headers, or the kernel's own: asm-generic/siginfo.h. */
enum { SEGV_PROTECTION_KEY = 4, SYS_BY_SECCOMP = 1, SYS_BY_DISPATCH = 2 };

const char *prof_signal_code_name(int signal, int code)
{
    static const struct name senders[] = {NAMED(SI_USER),  NAMED(SI_KERNEL),
                                          NAMED(SI_QUEUE), NAMED(SI_TIMER),
                                          NAMED(SI_TKILL), NAMED(SI_ASYNCIO)};
    static const struct name segv[] = {
        NAMED(SEGV_MAPERR),
        NAMED(SEGV_ACCERR),
        NAMED(SEGV_BNDERR),
        {SEGV_PROTECTION_KEY, "SEGV_PKUERR"}};
    static const struct name bus[] = {
        NAMED(BUS_ADRALN), NAMED(BUS_ADRERR), NAMED(BUS_OBJERR),
        NAMED(BUS_MCEERR_AR), NAMED(BUS_MCEERR_AO)};
    static const struct name fpe[] = {NAMED(FPE_INTDIV), NAMED(FPE_INTOVF),
                                      NAMED(FPE_FLTDIV), NAMED(FPE_FLTOVF),
                                      NAMED(FPE_FLTUND), NAMED(FPE_FLTRES),
                                      NAMED(FPE_FLTINV), NAMED(FPE_FLTSUB)};
    static const struct name ill[] = {NAMED(ILL_ILLOPC), NAMED(ILL_ILLOPN),
                                      NAMED(ILL_ILLADR), NAMED(ILL_ILLTRP),
                                      NAMED(ILL_PRVOPC), NAMED(ILL_PRVREG),
                                      NAMED(ILL_COPROC), NAMED(ILL_BADSTK)};
    static const struct name trap[] = {NAMED(TRAP_BRKPT), NAMED(TRAP_TRACE)};
    static const struct name sys[] = {
        {SYS_BY_SECCOMP, "SYS_SECCOMP"},
        {SYS_BY_DISPATCH, "SYS_USER_DISPATCH"}};
    const char *sender = FIND(senders, code);
    if (sender != NULL)
        return sender;
    switch (signal) {
    case SIGSEGV:
        return FIND(segv, code);
    case SIGBUS:
        return FIND(bus, code);
    case SIGFPE:
        return FIND(fpe, code);
    case SIGILL:
        return FIND(ill, code);
    case SIGTRAP:
        return FIND(trap, code);
    case SIGSYS:
        return FIND(sys, code);
    default:
        return NULL;
    }
}

const char *prof_signal_text(int signal)
{
    static const struct name texts[] = {
        {SIGSEGV, "invalid memory access"},
        {SIGBUS, "bus error"},
        {SIGFPE, "arithmetic error"},
        {SIGILL, "illegal instruction"},
        {SIGABRT, "abort"},
        {SIGTRAP, "trap"},
        {SIGSYS, "forbidden system call"},
        {SIGKILL, "killed"},
        {SIGXCPU, "CPU time limit exceeded"},
        {SIGXFSZ, "file size limit exceeded"}};
    return FIND(texts, signal);
}

bool prof_signal_is_crash(int signal)
{
    switch (signal) {
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGABRT:
    case SIGTRAP:
    case SIGSYS:
        return true;
    default:
        return false;
    }
}
