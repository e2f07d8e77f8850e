/* A ring with both its ends in one process. */
#ifndef TESTS_PROFILER_RING_FIXTURE_H
#define TESTS_PROFILER_RING_FIXTURE_H

#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "profiler/agent/sig_ring.h"
#include "profiler/collector/ring_reader.h"
#include "profiler/wire/segment.h"
#include "profiler/wire/version.h"

struct ring_pair {
    struct wire_ring writer;
    struct prof_ring_reader reader;
    uint32_t dead_tid; /* no other thread is dead */
    uint64_t malformed;
    _Alignas(8) unsigned char record[WIRE_RECORD_BLOCKS * WIRE_BLOCK_BYTES];
};

/* A sealed segment with a valid header; the descriptor. */
static inline int make_segment_fd(int seals)
{
    int fd = memfd_create("ring-test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    struct wire_header header = {.magic = WIRE_MAGIC, .version = WIRE_VERSION};
    if (fd < 0 || ftruncate(fd, WIRE_SEGMENT_BYTES) != 0 ||
        pwrite(fd, &header, 8, 0) != 8 || fcntl(fd, F_ADD_SEALS, seals) != 0)
        abort();
    return fd;
}

static inline struct ring_pair *make_ring(void)
{
    struct ring_pair *pair = calloc(1, sizeof *pair);
    int fd = make_segment_fd(F_SEAL_SHRINK | F_SEAL_GROW);
    if (pair == NULL ||
        prof_ring_reader_open(&pair->reader, fd, NULL) != STATUS_OK)
        abort();
    close(fd);
    /* The agent maps it likewise; one mapping serves both here. */
    pair->writer = pair->reader.ring;
    return pair;
}

static inline void drop_ring(struct ring_pair *pair)
{
    prof_ring_reader_close(&pair->reader);
    free(pair);
}

static inline bool is_alive_in_test(void *context, uint32_t tid)
{
    return tid != ((struct ring_pair *)context)->dead_tid;
}

static inline uint32_t read_ring(struct ring_pair *pair)
{
    return prof_ring_read(
        &pair->reader, pair->record, is_alive_in_test, pair, &pair->malformed);
}

static inline uint64_t ring_loss(struct ring_pair *pair, enum wire_loss reason)
{
    return atomic_load(&pair->writer.header->loss[reason]);
}

#endif
