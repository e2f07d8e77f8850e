/*
 * Which of the signals are ours, by what came along with them, and what each
 * stands for. Inline, for the handler asks it of every sample.
 */
#ifndef PROFILER_AGENT_SIG_EXPIRY_H
#define PROFILER_AGENT_SIG_EXPIRY_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/wire/cookie.h"
#include "profiler/wire/record.h"

#ifndef TRAP_PERF
#define TRAP_PERF 6 /* Linux 5.13; in glibc's headers since 2.37 */
#endif

/* si_code, and behind si_addr what a perf event's sig_data said. */
struct prof_perf_siginfo {
    int signo, error, code, padding;
    uint64_t address;
    uint64_t perf_data;
};

/* The part of siginfo_t that a POSIX timer fills in. */
struct prof_timer_siginfo {
    int signo, error, code, padding;
    int timer, overrun;
    uint64_t value;
};

/* One of our signals. */
struct prof_expiry {
    uint32_t count; /* of timer expiries behind it; 0: it is not ours */
    uint16_t flags; /* WIRE_SAMPLE_TICK ..., or the perf event's generation */
    bool is_change; /* no sample: it brings a timer for the thread */
};

static inline struct prof_expiry prof_expiry_read(int signal, const void *info)
{
    const struct prof_perf_siginfo *perf = info;
    if (signal == SIGTRAP && perf->perf_data == WIRE_CHANGE_COOKIE)
        return (struct prof_expiry){
            .count = perf->code == TRAP_PERF, .is_change = true};
    if (signal == SIGTRAP) {
        uint64_t generation = perf->perf_data & WIRE_GENERATION_MASK;
        return (struct prof_expiry){
            .count = perf->code == TRAP_PERF &&
                     perf->perf_data - generation == WIRE_COOKIE,
            .flags = (uint16_t)(generation << WIRE_SAMPLE_GENERATION_SHIFT)};
    }
    const struct prof_timer_siginfo *timer = info;
    if (timer->code != SI_TIMER ||
        (timer->value != WIRE_COOKIE && timer->value != WIRE_CHANGED_COOKIE))
        return (struct prof_expiry){.count = 0};
    return (struct prof_expiry){
        .count = timer->overrun > 0 ? 1 + (uint32_t)timer->overrun : 1,
        .flags = timer->value == WIRE_CHANGED_COOKIE
                     ? WIRE_SAMPLE_TICK | WIRE_SAMPLE_CHANGED
                     : WIRE_SAMPLE_TICK};
}

/* The timer that a tick came from. */
static inline int prof_expiry_timer(const void *info)
{
    return ((const struct prof_timer_siginfo *)info)->timer;
}

/*
 * Timer expiries behind a signal that goes no further; 0 when it is not ours.
 * In the thread that it came to: what brings a timer does so.
 */
SIGNAL_SAFE uint32_t prof_signal_take(int signal, const void *info);

#endif
