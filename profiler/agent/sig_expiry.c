/* What becomes of a signal of ours that goes no further. */
#include "profiler/agent/sig_expiry.h"

#include "profiler/agent/sig_timer.h"

SIGNAL_SAFE uint32_t prof_signal_take(int signal, const void *info)
{
    struct prof_expiry expiry = prof_expiry_read(signal, info);
    if (expiry.count > 0 && expiry.is_change)
        prof_timer_change_by_event();
    return expiry.count;
}
