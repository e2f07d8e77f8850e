/*
 * A frame's place among the addresses of a process, as perf will look it up.
 *
 * The model keeps (module, file offset); perf.data wants a runtime pc and the
 * mapping that explains it. Four ways lead there:
 *
 *   native, mapped at the sample's time   mapping.start + offset -
 * mapping.offset native, in no mapping of that time    a page of its own,
 * mapped from the file, outside the program's memory kernel the address itself
 *   named, account                        an address with a KSYMBOL record, so
 *                                         that perf shows the very name
 *
 * Records that explain an address are appended to the bytes before the sample
 * that needs them.
 */
#ifndef PROFILER_RECORDING_PERF_PLACE_H
#define PROFILER_RECORDING_PERF_PLACE_H

#include "profiler/base/table.h"
#include "profiler/model/profile.h"
#include "profiler/recording/bytes.h"

struct prof_perf_placer {
    struct table mapping; /* parallel to the profile's */
    struct index mapping_index;
    struct table page;
    struct index page_index;
    struct table named; /* parallel to the profile's frames: one byte each */
    bool is_kernel_mapped;
    bool is_failed; /* out of memory */
};

/* A zeroed placer is empty after this. */
void prof_perf_placer_init(struct prof_perf_placer *placer);
void prof_perf_placer_fini(struct prof_perf_placer *placer);

/*
 * Announce the next mapping of the profile; call for each id in order.
 *
 *   epoch_ns  the process's first moment, where another image had its pid
 *             before; else 0
 */
void prof_perf_placer_add_mapping(
    struct prof_perf_placer *placer, const struct prof_profile *profile,
    uint32_t id, uint64_t epoch_ns, struct prof_buffer *bytes);

struct prof_perf_place {
    uint64_t address;
    bool is_kernel; /* looked up among the kernel's addresses */
};

struct prof_perf_place prof_perf_place_frame(
    struct prof_perf_placer *placer, const struct prof_profile *profile,
    uint32_t process, uint32_t frame, uint64_t time_ns,
    struct prof_buffer *bytes);

#endif
