/* A record of the kernel's, taken apart; see the header. */
#include "profiler/tap/record.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include "profiler/attach/perf_regs.h"

static uint64_t take(const uint64_t **at)
{
    return *(*at)++;
}

static void take_ids(const uint64_t **at, uint32_t *first, uint32_t *second)
{
    uint64_t both = take(at);
    *first = (uint32_t)both;
    *second = (uint32_t)(both >> 32);
}

static void parse_sample(
    const uint64_t *at, bool has_chain, struct prof_tap_record *record)
{
    record->event = take(&at);
    (void)take(&at); /* the pc, which the chain and the registers have too */
    take_ids(&at, &record->pid, &record->tid);
    record->time_ns = take(&at);
    if (has_chain) {
        record->chain_count = take(&at);
        record->chain = at;
        at += record->chain_count;
    }
    uint64_t abi = take(&at);
    if (abi == PERF_SAMPLE_REGS_ABI_64)
        record->regs = at;
    if (abi != PERF_SAMPLE_REGS_ABI_NONE)
        at += prof_perf_regs_count;
    uint64_t room = take(&at);
    record->stack = (const uint8_t *)at;
    if (room > 0)
        memcpy(&record->stack_bytes, record->stack + room, sizeof(uint64_t));
}

static void parse_mmap(const uint64_t *at, struct prof_tap_record *record)
{
    uint32_t major, minor, protection, flags;
    take_ids(&at, &record->pid, &record->tid);
    record->start = take(&at);
    record->end = record->start + take(&at);
    record->offset = take(&at);
    take_ids(&at, &major, &minor);
    record->device = makedev(major, minor);
    record->inode = take(&at);
    (void)take(&at); /* the inode's generation */
    take_ids(&at, &protection, &flags);
    record->is_code = (protection & PROT_EXEC) != 0;
    record->name = (const char *)at;
}

static void parse_task(const uint64_t *at, struct prof_tap_record *record)
{
    take_ids(&at, &record->pid, &record->parent_pid);
    take_ids(&at, &record->tid, &record->parent);
}

bool prof_tap_record_parse(
    const struct perf_event_header *header, bool has_chain,
    struct prof_tap_record *record)
{
    const uint64_t *at = (const uint64_t *)(const void *)(header + 1);
    *record = (struct prof_tap_record){.type = header->type};
    if (header->type != PERF_RECORD_SAMPLE)
        memcpy(
            &record->time_ns,
            (const char *)header + header->size - PROF_TAP_TIME_FROM_END,
            sizeof record->time_ns);
    switch (header->type) {
    case PERF_RECORD_SAMPLE:
        parse_sample(at, has_chain, record);
        return true;
    case PERF_RECORD_MMAP2:
        parse_mmap(at, record);
        return true;
    case PERF_RECORD_COMM:
        take_ids(&at, &record->pid, &record->tid);
        record->name = (const char *)at;
        record->is_exec = (header->misc & PERF_RECORD_MISC_COMM_EXEC) != 0;
        return true;
    case PERF_RECORD_FORK:
    case PERF_RECORD_EXIT:
        parse_task(at, record);
        return true;
    case PERF_RECORD_LOST:
        (void)take(&at); /* of which event */
        record->lost = take(&at);
        return true;
    default:
        return false;
    }
}
