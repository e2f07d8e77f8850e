/*
 * What the kernel writes of hostile processes, and what it would never write:
 * records of any kind, size and content in a ring, taken into a profile in
 * bounded time and memory.
 *
 * The input is a list of steps, each a byte that selects and operands behind
 * it. The one process that is met in the beginning is the fuzzer itself, so
 * that registers can point at code and at a stack.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "profiler/attach/perf_regs.h"
#include "profiler/collector/limits.h"
#include "profiler/tap/rests.h"
#include "profiler/tap/tap_model.h"
#include "tests/fuzz/collector/bytes.h"

enum { STEPS_MAX = 128, RING_BYTES = 1 << 18, PERIOD_NS = 1000000, ROOM = 8 };
#define RECORD_WORDS (PROF_TAP_RECORD_BYTES / 8)

struct scene {
    struct prof_tap tap;
    struct prof_tap_ring ring;
    struct perf_event_mmap_page page;
    struct fuzz_bytes input;
    uint64_t words[RECORD_WORDS]; /* the record in the making */
    uint32_t count;
    uint64_t time_ns;
    uint8_t *data;
};

static void put(struct scene *scene, uint64_t word)
{
    if (scene->count < RECORD_WORDS - 1)
        scene->words[scene->count++] = word;
}

static void put_pair(struct scene *scene, uint64_t first, uint64_t second)
{
    put(scene, (uint32_t)first | second << 32);
}

/* Ours, mostly. */
static uint32_t some_pid(struct scene *scene)
{
    uint8_t which = fuzz_u8(&scene->input);
    return which < 200 ? (uint32_t)getpid() : which;
}

/* An address in code, in a stack, or anywhere. */
static uint64_t some_address(struct scene *scene)
{
    uint16_t distance = fuzz_u16(&scene->input);
    switch (distance % 4) {
    case 0:
        return (uint64_t)(uintptr_t)&prof_tap_run + distance;
    case 1:
        return (uint64_t)(uintptr_t)&calloc + distance;
    case 2:
        return (uint64_t)(uintptr_t)&distance + distance - distance % 8;
    default:
        return fuzz_u64(&scene->input);
    }
}

static void write_record(struct scene *scene, uint32_t type, uint16_t misc)
{
    struct perf_event_header header = {
        .type = type,
        .misc = misc,
        .size = (uint16_t)(8 * scene->count + sizeof header)};
    if (fuzz_u8(&scene->input) % 16 == 0)
        header.size = fuzz_u16(&scene->input);
    uint64_t first;
    memcpy(&first, &header, sizeof first);
    uint64_t *data = (void *)scene->data;
    uint64_t at = scene->page.data_head / 8;
    if (scene->page.data_head + 8 * (scene->count + 1) - scene->page.data_tail >
        RING_BYTES)
        return;
    data[at++ % (RING_BYTES / 8)] = first;
    for (uint32_t i = 0; i < scene->count; i++)
        data[at++ % (RING_BYTES / 8)] = scene->words[i];
    scene->page.data_head = at * 8;
}

static void put_trailer(struct scene *scene)
{
    put_pair(scene, some_pid(scene), some_pid(scene));
    put(scene, scene->time_ns);
    put(scene, 1);
}

static void put_text(struct scene *scene)
{
    uint64_t word;
    uint8_t count = fuzz_u8(&scene->input) % ROOM;
    for (uint8_t i = 0; i < count; i++)
        put(scene, fuzz_u64(&scene->input) & 0x7f7f7f7f7f7f7f7f);
    word = fuzz_u64(&scene->input);
    put(scene, fuzz_u8(&scene->input) % 8 == 0 ? word : word & 0xffffffff);
}

static void write_sample(struct scene *scene)
{
    put(scene, 1);
    put(scene, some_address(scene));
    put_pair(scene, some_pid(scene), some_pid(scene));
    put(scene, scene->time_ns);
    uint64_t chain = fuzz_u8(&scene->input) % ROOM;
    put(scene, fuzz_u8(&scene->input) % 16 ? chain : fuzz_u64(&scene->input));
    for (uint64_t i = 0; i < chain; i++)
        put(scene, i % 4 ? some_address(scene) : (uint64_t)PERF_CONTEXT_KERNEL);
    uint8_t abi = fuzz_u8(&scene->input);
    put(scene, abi < 200 ? PERF_SAMPLE_REGS_ABI_64 : abi % 3);
    for (unsigned i = 0; i < prof_perf_regs_count; i++)
        put(scene, some_address(scene));
    uint16_t bytes = (uint16_t)(fuzz_u16(&scene->input) % 50000 / 8 * 8);
    put(scene, fuzz_u8(&scene->input) % 16 ? bytes : fuzz_u64(&scene->input));
    for (uint32_t i = 0; i < bytes / 8u; i++)
        put(scene, i % 4 == 0 ? some_address(scene) : i);
    put(scene, fuzz_u8(&scene->input) % 8 ? bytes : fuzz_u64(&scene->input));
    write_record(scene, PERF_RECORD_SAMPLE, 0);
}

static void write_mapping(struct scene *scene)
{
    put_pair(scene, some_pid(scene), some_pid(scene));
    put(scene, some_address(scene));
    put(scene, fuzz_u8(&scene->input) % 8 ? 4096u * fuzz_u8(&scene->input)
                                          : fuzz_u64(&scene->input));
    put(scene, fuzz_u8(&scene->input) * 4096u);
    put(scene, fuzz_u64(&scene->input));
    put(scene, fuzz_u64(&scene->input));
    put(scene, 0);
    put_pair(scene, PROT_READ | PROT_EXEC, MAP_PRIVATE);
    put_text(scene);
    put_trailer(scene);
    write_record(scene, PERF_RECORD_MMAP2, 0);
}

static void write_name(struct scene *scene)
{
    put_pair(scene, some_pid(scene), some_pid(scene));
    put_text(scene);
    put_trailer(scene);
    write_record(
        scene, PERF_RECORD_COMM,
        fuzz_u8(&scene->input) % 2 ? PERF_RECORD_MISC_COMM_EXEC : 0);
}

static void write_task(struct scene *scene, uint32_t type)
{
    put_pair(scene, some_pid(scene), some_pid(scene));
    put_pair(scene, some_pid(scene), some_pid(scene));
    put(scene, scene->time_ns);
    put_trailer(scene);
    write_record(scene, type, 0);
}

static void write_anything(struct scene *scene)
{
    for (uint32_t i = fuzz_u8(&scene->input); i-- > 0;)
        put(scene, fuzz_u64(&scene->input));
    uint32_t type = fuzz_u8(&scene->input) % 20;
    write_record(scene, type, fuzz_u16(&scene->input));
}

static void step(struct scene *scene)
{
    scene->count = 0;
    scene->time_ns += fuzz_u8(&scene->input) * 1000u;
    switch (fuzz_u8(&scene->input) % 9) {
    case 0:
    case 1:
    case 2:
        write_sample(scene);
        break;
    case 3:
        write_mapping(scene);
        break;
    case 4:
        write_name(scene);
        break;
    case 5:
        write_task(scene, PERF_RECORD_FORK);
        break;
    case 6:
        write_task(scene, PERF_RECORD_EXIT);
        break;
    case 7:
        write_anything(scene);
        break;
    default:
        prof_tap_take_records(&scene->tap, UINT64_MAX);
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
    if (prof_profile_process_count(profile) > 2 * STEPS_MAX ||
        prof_profile_mapping_count(profile) > PROF_LIMIT_MAPPINGS)
        abort();
}

static void open_scene(struct scene *scene, struct prof_profile *profile)
{
    struct prof_tap *tap = &scene->tap;
    tap->common = (struct prof_tap_common){
        .profile = profile,
        .period_ns = PERIOD_NS,
        .rests = {.row_bytes = sizeof(struct prof_tap_rest)},
        .value_cpu = prof_profile_add_value_type(profile, "cpu", "ns"),
        .value_samples = prof_profile_add_value_type(profile, "n", "count")};
    prof_build_ids_init(&tap->common.build_ids);
    prof_image_cache_init(&tap->common.images);
    scene->data = calloc(1, RING_BYTES);
    scene->ring = (struct prof_tap_ring){
        .page = &scene->page, .data = scene->data, .bytes = RING_BYTES};
    tap->events = (struct prof_tap_events){
        .rings =
            {.rows = &scene->ring,
             .count = 1,
             .copy = malloc(PROF_TAP_RECORD_BYTES)},
        .has_kernel = true,
        .opened = {.row_bytes = sizeof(struct prof_tap_event)}};
    prof_tap_add_process(
        tap, prof_tap_process_meet(&tap->common, (uint32_t)getpid()));
}

static void close_scene(struct scene *scene)
{
    struct prof_tap *tap = &scene->tap;
    prof_tap_take_records(tap, UINT64_MAX);
    while (tap->processes != NULL)
        prof_tap_process_drop(&tap->processes, scene->time_ns);
    prof_tap_rests_close(&tap->common, 0, 0);
    prof_image_cache_fini(&tap->common.images);
    prof_build_ids_fini(&tap->common.build_ids);
    table_fini(&tap->common.rests);
    free(tap->events.rings.copy);
    free(scene->data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scene *scene = calloc(1, sizeof *scene);
    struct prof_profile *profile = prof_profile_create();
    scene->input = (struct fuzz_bytes){.at = data, .end = data + size};
    open_scene(scene, profile);
    for (unsigned i = 0; i < STEPS_MAX && scene->input.at < scene->input.end;
         i++)
        step(scene);
    close_scene(scene);
    judge(profile);
    prof_profile_destroy(profile);
    free(scene);
    return 0;
}
