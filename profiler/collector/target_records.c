/* The records of one drain. */
#include "profiler/collector/target_records.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "profiler/collector/target_model.h"

static bool is_alive(void *context, uint32_t inner_tid)
{
    const struct prof_target *target = context;
    char path[64];
    if (target->inner_pid != target->pid)
        (void)snprintf(path, sizeof path, "/proc/%" PRIu32, target->pid);
    else
        (void)snprintf(
            path, sizeof path, "/proc/%" PRIu32 "/task/%" PRIu32, target->pid,
            inner_tid);
    return access(path, F_OK) == 0;
}

double prof_target_take(struct prof_target *target)
{
    unsigned char buffer[PROF_RECORD_ROOM];
    uint32_t bytes, total = 0;
    while (total < WIRE_DATA_BYTES &&
           (bytes = prof_ring_read(
                &target->ring, buffer, is_alive, target, &target->malformed))) {
        total += bytes;
        if (table_add_many(&target->records, &bytes, sizeof bytes) ==
                TABLE_NONE ||
            table_add_many(&target->records, buffer, bytes) == TABLE_NONE)
            break;
    }
    prof_limits_note_read(&target->limits);
    return (double)total / WIRE_DATA_BYTES;
}

/* Sizes were written by us; it is copied for alignment, and because the table
 * may grow. */
uint32_t prof_target_record(
    const struct prof_target *target, uint32_t *at, void *record)
{
    uint32_t bytes;
    if (*at >= target->records.count)
        return 0;
    memcpy(&bytes, table_row(&target->records, *at), sizeof bytes);
    memcpy(record, table_row(&target->records, *at + sizeof bytes), bytes);
    *at += (uint32_t)sizeof bytes + bytes;
    return bytes;
}
