/*
 * The guest's image (profiler/agent/guest.h), which the command carries in
 * itself: what it takes to lay it out in a process.
 */
#ifndef PROFILER_ATTACH_GUEST_IMAGE_H
#define PROFILER_ATTACH_GUEST_IMAGE_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>

#define PROF_GUEST_SEGMENTS_MAX 8

struct prof_guest_image {
    const uint8_t *bytes;
    uint64_t span_bytes; /* of all segments, whole pages */
    uint64_t land;       /* where the guest's thread begins */
    uint32_t segment_count;
    Elf64_Phdr segments[PROF_GUEST_SEGMENTS_MAX]; /* PT_LOAD */
};

/* False when it is not what the build should have made. */
bool prof_guest_image_open(struct prof_guest_image *image);

#endif
