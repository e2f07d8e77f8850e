/*
 * What a guest leaves behind when nobody is there to take it out: the page of
 * code in which its thread ended (profiler/agent/guest_land_x86_64.c). The next
 * one that goes takes it along.
 */
#ifndef PROFILER_ATTACH_LEFTOVER_H
#define PROFILER_ATTACH_LEFTOVER_H

#include <stdint.h>

#include "profiler/attach/guest_image.h"

/*
 * Such pages of the process `pid`, at most `capacity`; how many. None while a
 * guest's thread other than `tid` is there, which may be about to end in one.
 */
uint32_t prof_leftover_find(
    const struct prof_guest_image *image, uint32_t pid, uint32_t tid,
    uint64_t *pages, uint32_t capacity);

#endif
