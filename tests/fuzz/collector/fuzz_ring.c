/*
 * A target that writes what it likes into its segment: the collector drains it
 * into a profile, in bounded time and memory, and the profile stays sound.
 *
 * The input is a list of steps, each a byte that selects and operands behind
 * it; when it ends, so does the target.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/agent/sig_ring.h"
#include "profiler/collector/target.h"
#include "profiler/collector/target_drain.h"
#include "tests/fuzz/collector/bytes.h"
#include "tests/profiler/ring_fixture.h"

enum { STEPS_MAX = 256, STEP_COUNT = 9, PERIOD_NS = 1000000 };

struct scene {
    struct prof_target_common common;
    struct prof_target *target;
    struct prof_ring_reader mapping; /* the target's own */
    struct wire_ring *ring;
    struct fuzz_bytes input;
};

static void write_words(struct scene *scene)
{
    uint32_t at = fuzz_u16(&scene->input) % WIRE_BLOCK_COUNT;
    uint64_t word = fuzz_u64(&scene->input);
    for (uint32_t i = fuzz_u8(&scene->input); i-- > 0;)
        atomic_store(
            &scene->ring->descriptors[(at + i) % WIRE_BLOCK_COUNT],
            word + ((uint64_t)i << 40));
}

/* Any word of the header, of the slots or of the first records. */
static void write_anywhere(struct scene *scene)
{
    uint32_t at = fuzz_u16(&scene->input) % (WIRE_BLOCKS_OFFSET / 8 + 64);
    uint64_t word = fuzz_u64(&scene->input);
    _Atomic uint64_t *words = (void *)scene->ring->header;
    atomic_store(&words[at], word);
}

/* A record of any size and content, committed as an honest writer does. */
static void write_record(struct scene *scene, uint16_t type)
{
    uint32_t room = fuzz_u16(&scene->input) % WIRE_RECORD_BYTES + 1;
    uint32_t tid = fuzz_u8(&scene->input) % 4 == 0 ? fuzz_u32(&scene->input)
                                                   : (uint32_t)getpid();
    struct prof_claim claim = prof_ring_claim(scene->ring, room, tid);
    if (claim.bytes == NULL)
        return;
    fuzz_take(&scene->input, claim.bytes, room);
    if (type != 0)
        ((struct wire_record *)claim.bytes)->type = type;
    if (type == WIRE_SAMPLE && room > sizeof(struct wire_sample) &&
        fuzz_u8(&scene->input) % 2 == 0)
        ((struct wire_sample *)claim.bytes)->frame_count =
            (uint32_t)((room - sizeof(struct wire_sample)) / 8);
    if (fuzz_u8(&scene->input) % 8 != 0)
        prof_ring_commit(scene->ring, &claim);
}

/* Samples in the collector's own code, which is mapped. */
static void write_samples(struct scene *scene)
{
    for (uint32_t i = fuzz_u16(&scene->input) % 512; i-- > 0;) {
        struct prof_claim claim = prof_ring_claim(
            scene->ring, sizeof(struct wire_sample) + 8, (uint32_t)getpid());
        if (claim.bytes == NULL)
            return;
        struct wire_sample *sample = claim.bytes;
        *sample = (struct wire_sample){
            .record = {.type = WIRE_SAMPLE, .tid = fuzz_u8(&scene->input)},
            .expiries = fuzz_u32(&scene->input),
            .frame_count = 1};
        sample->frames[0] = (uint64_t)(uintptr_t)&prof_target_drain + i;
        prof_ring_commit(scene->ring, &claim);
    }
}

static void step(struct scene *scene)
{
    switch (fuzz_u8(&scene->input) % STEP_COUNT) {
    case 0:
        write_words(scene);
        break;
    case 1:
        write_anywhere(scene);
        break;
    case 2:
        write_record(scene, 0);
        break;
    case 3:
        write_record(scene, WIRE_SAMPLE);
        break;
    case 4:
        write_record(scene, WIRE_MODULE);
        break;
    case 5:
        write_record(scene, WIRE_UNMAPPED);
        break;
    case 6:
        write_samples(scene);
        break;
    default: {
        double share = prof_target_drain(scene->target);
        if (share < 0 || share > 1.1)
            abort();
    }
    }
}

/* Every id a row holds is one of a row there is. */
static void judge(const struct prof_profile *profile)
{
    for (uint32_t i = 0; i < prof_profile_sample_count(profile); i++) {
        const struct prof_sample *sample = prof_profile_sample(profile, i);
        if (sample->thread >= prof_profile_thread_count(profile) ||
            (sample->stack != PROF_NONE &&
             sample->stack >= prof_profile_stack_count(profile)))
            abort();
    }
    for (uint32_t i = 0; i < prof_profile_mapping_count(profile); i++) {
        if (prof_profile_mapping(profile, i)->module >=
            prof_profile_module_count(profile))
            abort();
    }
    if (prof_profile_sample_count(profile) > 2 * PROF_LIMIT_AT_ONCE ||
        prof_profile_mapping_count(profile) > PROF_LIMIT_MAPPINGS)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scene scene = {.input = {.at = data, .end = data + size}};
    struct prof_profile *profile = prof_profile_create();
    int fd = make_segment_fd(F_SEAL_SHRINK);
    scene.common = (struct prof_target_common){
        .profile = profile,
        .period_ns = PERIOD_NS,
        .best_mode = PROF_CLOCK_TIMER,
        .value_cpu = prof_profile_add_value_type(profile, "cpu", "ns"),
        .value_samples = prof_profile_add_value_type(profile, "n", "count")};
    prof_build_ids_init(&scene.common.build_ids);
    uint32_t pid = (uint32_t)getpid();
    /* In a name space of its own, every second time. */
    uint32_t inner = fuzz_u8(&scene.input) % 2 == 0 ? pid : pid + 1;
    scene.target = prof_target_open(&scene.common, pid, inner, fd, NULL, NULL);
    if (scene.target == NULL ||
        prof_ring_reader_open(&scene.mapping, fd, NULL) != STATUS_OK)
        abort();
    (void)close(fd);
    scene.ring = &scene.mapping.ring;
    for (unsigned i = 0; i < STEPS_MAX && scene.input.at < scene.input.end; i++)
        step(&scene);
    prof_target_close(scene.target);
    judge(profile);
    prof_ring_reader_close(&scene.mapping);
    prof_build_ids_fini(&scene.common.build_ids);
    prof_profile_destroy(profile);
    return 0;
}
