/* A record of the kernel's, taken apart; see the header. */
#include "profiler/tap/record.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include "profiler/attach/perf_regs.h"

/* The words of a record. Where they end too early, the record says nothing. */
struct words {
    const uint64_t *at, *end;
    bool is_short;
};

static uint64_t take(struct words *words)
{
    if (words->at < words->end)
        return *words->at++;
    words->is_short = true;
    return 0;
}

static void take_ids(struct words *words, uint32_t *first, uint32_t *second)
{
    uint64_t both = take(words);
    *first = (uint32_t)both;
    *second = (uint32_t)(both >> 32);
}

/* So many words as they are; NULL when there are fewer. */
static const uint64_t *take_many(struct words *words, uint64_t count)
{
    const uint64_t *first = words->at;
    if (count > (uint64_t)(words->end - words->at)) {
        words->is_short = true;
        return NULL;
    }
    words->at += count;
    return first;
}

/* A text, before what every record has at its end. */
static const char *take_text(struct words *words)
{
    const char *text = (const char *)words->at;
    const char *end = (const char *)words->end - PROF_TAP_TRAILER_BYTES;
    words->is_short |=
        text >= end || memchr(text, '\0', (size_t)(end - text)) == NULL;
    return text;
}

static void parse_sample(struct words *words, struct prof_tap_record *record)
{
    record->event = take(words);
    (void)take(words); /* the pc, which the chain and the registers have too */
    take_ids(words, &record->pid, &record->tid);
    record->time_ns = take(words);
    record->chain_count = take(words);
    record->chain = take_many(words, record->chain_count);
    uint64_t abi = take(words);
    const uint64_t *regs = abi != PERF_SAMPLE_REGS_ABI_NONE
                               ? take_many(words, prof_perf_regs_count)
                               : NULL;
    if (abi == PERF_SAMPLE_REGS_ABI_64)
        record->regs = regs;
    uint64_t room_bytes = take(words);
    record->stack =
        (const uint8_t *)take_many(words, room_bytes / sizeof(uint64_t));
    if (room_bytes > 0)
        record->stack_bytes = take(words);
    record->is_less = record->stack_bytes < room_bytes;
    if (record->stack_bytes > room_bytes)
        record->stack_bytes = room_bytes;
}

static void parse_mmap(struct words *words, struct prof_tap_record *record)
{
    uint32_t major, minor, protection, flags;
    take_ids(words, &record->pid, &record->tid);
    record->start = take(words);
    record->end = record->start + take(words);
    record->offset = take(words);
    take_ids(words, &major, &minor);
    record->device = makedev(major, minor);
    record->inode = take(words);
    (void)take(words); /* the inode's generation */
    take_ids(words, &protection, &flags);
    record->is_code = (protection & PROT_EXEC) != 0;
    record->name = take_text(words);
}

static void parse_task(struct words *words, struct prof_tap_record *record)
{
    take_ids(words, &record->pid, &record->parent_pid);
    take_ids(words, &record->tid, &record->parent);
}

bool prof_tap_record_parse(
    const struct perf_event_header *header, struct prof_tap_record *record)
{
    struct words words = {
        .at = (const uint64_t *)(const void *)(header + 1),
        .end = (const uint64_t *)(const void *)header +
               header->size / sizeof(uint64_t)};
    *record = (struct prof_tap_record){.type = header->type};
    if (header->size < sizeof *header + PROF_TAP_TIME_FROM_END)
        return false;
    if (header->type != PERF_RECORD_SAMPLE)
        memcpy(
            &record->time_ns,
            (const char *)header + header->size - PROF_TAP_TIME_FROM_END,
            sizeof record->time_ns);
    switch (header->type) {
    case PERF_RECORD_SAMPLE:
        parse_sample(&words, record);
        break;
    case PERF_RECORD_MMAP2:
        parse_mmap(&words, record);
        break;
    case PERF_RECORD_COMM:
        take_ids(&words, &record->pid, &record->tid);
        record->name = take_text(&words);
        record->is_exec = (header->misc & PERF_RECORD_MISC_COMM_EXEC) != 0;
        break;
    case PERF_RECORD_FORK:
    case PERF_RECORD_EXIT:
        parse_task(&words, record);
        break;
    case PERF_RECORD_LOST:
        (void)take(&words); /* of which event */
        record->lost = take(&words);
        break;
    default:
        return false;
    }
    return !words.is_short;
}

struct prof_maps_line prof_tap_record_line(const struct prof_tap_record *record)
{
    return (struct prof_maps_line){
        .start = record->start,
        .end = record->end,
        .offset = record->offset,
        .device = record->device,
        .inode = record->inode,
        .permissions = "r-xp",
        /* "//anon" is the kernel's name for memory without a file. */
        .path = strncmp(record->name, "//", 2) == 0 ? "" : record->name};
}
