/* When the rings are looked at; see the header. */
#include "profiler/tap/pace.h"

enum { LOOK_MS = 5, WAIT_MS = 50, NS_PER_MS = 1000000 };

void prof_tap_pace_begin(struct prof_tap_pace *pace, uint64_t period_ns)
{
    uint64_t period_ms = period_ns / NS_PER_MS + 1;
    uint64_t least_ms = period_ms > LOOK_MS ? period_ms : LOOK_MS;
    pace->least_ms = least_ms < WAIT_MS ? (int)least_ms : WAIT_MS;
    pace->wait_ms = pace->least_ms;
}

void prof_tap_pace_note(struct prof_tap_pace *pace, bool has_found)
{
    int wait_ms = has_found ? pace->least_ms : 2 * pace->wait_ms;
    pace->wait_ms = wait_ms < WAIT_MS ? wait_ms : WAIT_MS;
}
