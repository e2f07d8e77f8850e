/* Which signal a guest's ticks are; see the header. */
#include "profiler/agent/guest_signal.h"

#include "profiler/agent/tasks.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

enum { STATUS_BYTES = 2048 };

struct deafness {
    uint32_t urgent, window; /* threads that block one, and not the other */
};

static void note_mask(void *owner, int tid)
{
    struct deafness *deafness = owner;
    char text[STATUS_BYTES];
    if (!prof_task_read(tid, "status", text, sizeof text))
        return;
    const char *line = prof_task_find(text, "\nSigBlk:\t");
    uint64_t blocked = line != NULL ? prof_task_hex(line) : 0;
    bool is_urgent = (blocked >> (SIGURG - 1) & 1) != 0;
    bool is_window = (blocked >> (SIGWINCH - 1) & 1) != 0;
    deafness->urgent += is_urgent && !is_window;
    deafness->window += is_window && !is_urgent;
}

int prof_guest_signal_choose(void)
{
    struct deafness deafness = {0};
    return prof_tasks_visit(note_mask, &deafness) &&
                   deafness.urgent > deafness.window
               ? SIGWINCH
               : SIGURG;
}
