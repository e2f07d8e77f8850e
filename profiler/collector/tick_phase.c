/*
 * When the kernel's ticks are. A thread may be preempted by the very tick, and
 * its signal is late then by any time; two that are late alike are rare.
 */
#include "profiler/collector/tick_phase.h"

#include <stdlib.h>
#include <string.h>

enum { AGREED_PARTS = 40 }; /* of a tick, within which two agree */

/*
 * The last one counts, and what stands behind "--" is init's. The kernel takes
 * a dash for an underscore (parameq() in kernel/params.c), and any number but
 * 0.
 */
static bool is_skewed(const char *boot)
{
    static const char *const NAMES[] = {"skew_tick=", "skew-tick="};
    static const char BLANKS[] = " \t\n";
    const size_t bytes = strlen(NAMES[0]);
    bool is = false;
    for (const char *word = boot + strspn(boot, BLANKS); *word != '\0';) {
        size_t length = strcspn(word, BLANKS);
        if (length == 2 && strncmp(word, "--", 2) == 0)
            break;
        if (strncmp(word, NAMES[0], bytes) == 0 ||
            strncmp(word, NAMES[1], bytes) == 0)
            is = strtol(word + bytes, NULL, 0) != 0;
        word += length;
        word += strspn(word, BLANKS);
    }
    return is;
}

void prof_tick_phase_init(
    struct prof_tick_phase *phase, uint64_t tick_ns, const char *boot)
{
    *phase = (struct prof_tick_phase){
        .tick_ns = tick_ns, .is_skewed = is_skewed(boot)};
}

static uint64_t near_ns(const struct prof_tick_phase *phase)
{
    return phase->tick_ns / AGREED_PARTS;
}

/* From one phase on to another. */
static uint64_t from_to_ns(
    const struct prof_tick_phase *phase, uint64_t from_ns, uint64_t to_ns)
{
    return (to_ns + phase->tick_ns - from_ns) % phase->tick_ns;
}

void prof_tick_phase_note(struct prof_tick_phase *phase, uint64_t time_ns)
{
    uint64_t now_ns = time_ns % phase->tick_ns;
    uint64_t later_ns = from_to_ns(phase, phase->latest_ns, now_ns);
    bool is_later = later_ns <= near_ns(phase);
    bool is_earlier = phase->tick_ns - later_ns <= near_ns(phase);
    if (phase->is_seen && !phase->is_skewed && (is_later || is_earlier)) {
        /* The earlier of the two: neither comes before its tick. */
        phase->phase_ns = is_later ? phase->latest_ns : now_ns;
        phase->is_known = true;
    }
    phase->latest_ns = now_ns;
    phase->is_seen = true;
}

uint64_t prof_tick_phase_since_ns(
    const struct prof_tick_phase *phase, uint64_t time_ns)
{
    uint64_t since_ns =
        from_to_ns(phase, phase->phase_ns, time_ns % phase->tick_ns);
    /* What the phase was learned from was on its way for some time as well. */
    bool is_before = since_ns > phase->tick_ns - near_ns(phase);
    return phase->is_known && !is_before ? since_ns : 0;
}
