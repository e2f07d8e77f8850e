/* The records a recording of ours consists of, as perf reads them. */
#include "profiler/recording/perf_record.h"

#include <string.h>
#include <sys/mman.h>

/* Longer names are cut: perf's own limit is 255 for symbols and 4095 for
   paths, and a record must stay below 64 KiB. The annex keeps them whole. */
enum { NAME_BYTES = 255, PATH_BYTES = 4095 };

static void put_name(struct prof_buffer *bytes, const char *text, size_t most)
{
    prof_buffer_text(bytes, text, strnlen(text, most), PERF_RECORD_ALIGN);
}

/* Begin a record; its size is filled in by end_record(). */
static size_t begin_record(
    struct prof_buffer *bytes, uint32_t type, uint32_t misc)
{
    size_t at = bytes->count;
    struct perf_event_header header = {.type = type, .misc = (uint16_t)misc};
    prof_buffer_put(bytes, &header, sizeof header);
    return at;
}

static void end_record(struct prof_buffer *bytes, size_t at)
{
    if (bytes->is_failed)
        return;
    uint16_t size = (uint16_t)(bytes->count - at);
    memcpy(
        bytes->data + at + offsetof(struct perf_event_header, size), &size,
        sizeof size);
}

/* What sample_id_all promises at the end of all records but samples. */
static void put_stamp(struct prof_buffer *bytes, struct perf_stamp stamp)
{
    prof_buffer_u32(bytes, stamp.pid);
    prof_buffer_u32(bytes, stamp.tid);
    prof_buffer_u64(bytes, stamp.time_ns);
}

void prof_perf_put_comm(
    struct prof_buffer *bytes, struct perf_stamp stamp, const char *name,
    bool is_exec)
{
    uint32_t misc = is_exec ? PERF_RECORD_MISC_COMM_EXEC : 0;
    size_t at = begin_record(bytes, PERF_RECORD_COMM, misc);
    prof_buffer_u32(bytes, stamp.pid);
    prof_buffer_u32(bytes, stamp.tid);
    put_name(bytes, name, NAME_BYTES);
    put_stamp(bytes, stamp);
    end_record(bytes, at);
}

void prof_perf_put_fork(
    struct prof_buffer *bytes, struct perf_stamp stamp, uint32_t parent_pid)
{
    size_t at = begin_record(bytes, PERF_RECORD_FORK, 0);
    prof_buffer_u32(bytes, stamp.pid);
    prof_buffer_u32(bytes, parent_pid);
    prof_buffer_u32(bytes, stamp.tid);
    prof_buffer_u32(bytes, parent_pid);
    prof_buffer_u64(bytes, stamp.time_ns);
    put_stamp(bytes, stamp);
    end_record(bytes, at);
}

/* Either a build-id or the inode, which we do not know, in 24 bytes. */
static void put_file_identity(
    struct prof_buffer *bytes, const struct perf_mmap *mmap)
{
    unsigned char identity[24] = {0};
    if (mmap->build_id_bytes > 0) {
        identity[0] = mmap->build_id_bytes;
        memcpy(identity + 4, mmap->build_id, mmap->build_id_bytes);
    }
    prof_buffer_put(bytes, identity, sizeof identity);
}

void prof_perf_put_mmap(
    struct prof_buffer *bytes, struct perf_stamp stamp,
    const struct perf_mmap *mmap)
{
    uint32_t misc = PERF_RECORD_MISC_USER;
    if (mmap->build_id_bytes > 0)
        misc |= PERF_MISC_MMAP_BUILD_ID;
    size_t at = begin_record(bytes, PERF_RECORD_MMAP2, misc);
    prof_buffer_u32(bytes, stamp.pid);
    prof_buffer_u32(bytes, stamp.tid);
    prof_buffer_u64(bytes, mmap->start);
    prof_buffer_u64(bytes, mmap->bytes);
    prof_buffer_u64(bytes, mmap->offset);
    put_file_identity(bytes, mmap);
    prof_buffer_u32(bytes, PROT_READ | PROT_EXEC);
    prof_buffer_u32(bytes, MAP_PRIVATE);
    put_name(bytes, mmap->path, PATH_BYTES);
    put_stamp(bytes, stamp);
    end_record(bytes, at);
}

void prof_perf_put_kernel_mmap(struct prof_buffer *bytes)
{
    static const char name[] = "[kernel.kallsyms]_text";
    size_t at = begin_record(bytes, PERF_RECORD_MMAP, PERF_RECORD_MISC_KERNEL);
    prof_buffer_u32(bytes, UINT32_MAX);
    prof_buffer_u32(bytes, 0);
    prof_buffer_u64(bytes, PERF_KERNEL_START);
    prof_buffer_u64(bytes, PERF_KERNEL_END - PERF_KERNEL_START);
    /* perf would take an offset for the address of _text when recorded, and
       move all symbols by the difference; 0 leaves them where they are. */
    prof_buffer_u64(bytes, 0);
    put_name(bytes, name, sizeof name - 1);
    put_stamp(bytes, (struct perf_stamp){0});
    end_record(bytes, at);
}

void prof_perf_put_ksymbol(
    struct prof_buffer *bytes, uint64_t address, uint32_t span,
    const char *name)
{
    size_t at = begin_record(bytes, PERF_RECORD_KSYMBOL, 0);
    prof_buffer_u64(bytes, address);
    prof_buffer_u32(bytes, span);
    prof_buffer_u16(bytes, PERF_RECORD_KSYMBOL_TYPE_UNKNOWN);
    prof_buffer_u16(bytes, 0);
    put_name(bytes, name, NAME_BYTES);
    put_stamp(bytes, (struct perf_stamp){0});
    end_record(bytes, at);
}

void prof_perf_put_sample(
    struct prof_buffer *bytes, const struct perf_sample *sample)
{
    size_t at = begin_record(
        bytes, PERF_RECORD_SAMPLE,
        sample->is_kernel ? PERF_RECORD_MISC_KERNEL : PERF_RECORD_MISC_USER);
    prof_buffer_u64(bytes, sample->ip);
    put_stamp(bytes, sample->stamp);
    prof_buffer_u64(bytes, sample->period);
    prof_buffer_u64(bytes, sample->chain_count);
    prof_buffer_put(
        bytes, sample->chain, sample->chain_count * sizeof *sample->chain);
    end_record(bytes, at);
}
