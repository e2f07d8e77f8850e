/*
 * perf.data as bytes: what <linux/perf_event.h> leaves to user space.
 * After tools/perf/Documentation/perf.data-file-format.txt in Linux, and
 * tools/perf/util/header.h. Everything is in the order of the machine that
 * wrote it.
 *
 *     file header | attributes | ids | data: records | feature table | features
 *
 * A pipe has no such sections: 16 bytes of header, then records alone, with
 * PERF_RECORD_HEADER_ATTR and PERF_RECORD_HEADER_FEATURE among them.
 */
#ifndef PROFILER_RECORDING_PERF_FORMAT_H
#define PROFILER_RECORDING_PERF_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include <linux/perf_event.h>

#define PERF_FILE_MAGIC         0x32454c4946524550ULL /* "PERFILE2" */
#define PERF_FILE_MAGIC_1       0x454c494646524550ULL /* "PERFFILE", old */
#define PERF_FILE_MAGIC_SWAPPED 0x50455246494c4532ULL
#define PERF_PIPE_HEADER        16 /* magic and this size */
#define PERF_FEATURE_WORDS      4
#define PERF_RECORD_ALIGN       8
#define PERF_RECORD_MAX_SIZE    65528 /* 16 bits, in multiples of 8 */

struct perf_section {
    uint64_t offset, bytes;
};

struct perf_file_header {
    uint64_t magic;
    uint64_t header_bytes; /* of this struct */
    uint64_t attr_bytes;   /* of one struct perf_file_attr */
    struct perf_section attrs, data, event_types;
    uint64_t features[PERF_FEATURE_WORDS]; /* a bit for each section present */
};
_Static_assert(sizeof(struct perf_file_header) == 104, "on disk");
_Static_assert(offsetof(struct perf_file_header, features) == 72, "on disk");

/*
 * Entries of a chain, context markers included, that fit one of our samples:
 * a record of at most 64 KiB, less 48 bytes of other fields.
 */
#define PERF_CHAIN_MAX ((PERF_RECORD_MAX_SIZE - 48) / 8)

enum perf_feature {
    PERF_FEATURE_BUILD_ID = 2,
    PERF_FEATURE_HOSTNAME = 3,
    PERF_FEATURE_OSRELEASE = 4,
    PERF_FEATURE_VERSION = 5,
    PERF_FEATURE_ARCH = 6,
    PERF_FEATURE_NRCPUS = 7,
    PERF_FEATURE_CMDLINE = 11,
    PERF_FEATURE_EVENT_DESC = 12,
    PERF_FEATURE_SAMPLE_TIME = 21,
    PERF_FEATURE_COMPRESSED = 27,
    PERF_FEATURE_ANNEX = 250, /* ours; perf_annex.h */
    PERF_FEATURE_BITS = 256,
};

/* Strings in features: a 32-bit length, then zero-padded text. */
#define PERF_STRING_ALIGN 64

/* Records that user space adds to the kernel's. */
enum perf_user_record {
    PERF_USER_HEADER_ATTR = 64,
    PERF_USER_HEADER_TRACING_DATA = 66, /* followed by bytes, too */
    PERF_USER_HEADER_BUILD_ID = 67,
    PERF_USER_FINISHED_ROUND = 68,
    PERF_USER_AUXTRACE = 71, /* followed by bytes outside of any record */
    PERF_USER_HEADER_FEATURE = 80,
    PERF_USER_COMPRESSED = 81,
};

/* Newer than the oldest <linux/perf_event.h> this builds with. */
#define PERF_MISC_BUILD_ID_SIZE (1u << 15)
#define PERF_MISC_MMAP_BUILD_ID (1u << 14)

/*
 * How one of ours is told from perf's, even when it was cut short: the id of
 * its only event. Frames there hold a pc inside the call; perf's recordings
 * hold return addresses.
 */
#define PERF_OWN_EVENT_ID       0x7269666863746177ULL /* "watchfir" */

/*
 * Where we put frames that have no address. All are above any user address of
 * x86-64, with five-level page tables too, and below the kernel's. A KSYMBOL
 * record names each: perf's only way to give an address a name in the file.
 */
#define PERF_NAMED_BASE         0x0100000000000000ULL
#define PERF_ACCOUNT_BASE       0x0200000000000000ULL
#define PERF_PAGE_BASE          0x0300000000000000ULL /* files not mapped there */
#define PERF_NAMED_STRIDE       16

/* The kernel's own code on x86-64, modules included. */
#define PERF_KERNEL_START       0xffffffff80000000ULL
#define PERF_KERNEL_END         0xffffffffff000000ULL

#endif
