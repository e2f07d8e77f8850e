/*
 * A target that writes what it likes where crashes are told, and has what it
 * likes in its memory: from there to the payload that would be sent. It waits
 * in a process of its own, of which the shared words are what the input fills.
 *
 * The input is a list of steps, as in fuzz_ring.c.
 */
#include <jansson.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "exporters/sentry/crash_book.h"
#include "exporters/sentry/event.h"
#include "exporters/sentry/scope.h"
#include "profiler/agent/sig_ring.h"
#include "profiler/base/clock.h"
#include "profiler/collector/crashes.h"
#include "profiler/collector/target.h"
#include "profiler/collector/target_drain.h"
#include "symbolizer/demangle.h"
#include "tests/fuzz/collector/bytes.h"
#include "tests/profiler/ring_fixture.h"

enum { STEPS_MAX = 128, STEP_COUNT = 13, WORDS = 512, PERIOD_NS = 1000000 };

/* Ahead of a thrown object stands the class of exceptions of gcc: class_of_gcc
   in crash_words.c. */
static const uint64_t class_of_gcc = UINT64_C(0x474e5543432b2b00);

static pid_t victim;
static uint64_t *words; /* shared with it, at the same address */

struct scene {
    struct prof_target_common common;
    struct prof_target *target;
    struct prof_crashes crashes;
    struct prof_ring_reader mapping; /* the target's own */
    struct wire_crashes *written;
    struct fuzz_bytes input;
    unsigned told_count;
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void end_victim(void)
{
    (void)kill(victim, SIGKILL);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    words = mmap(
        NULL, WORDS * sizeof *words, PROT_READ | PROT_WRITE,
        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    require(words != MAP_FAILED);
    victim = fork();
    require(victim >= 0);
    if (victim == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            (void)pause();
    }
    (void)atexit(end_victim);
    return 0;
}

/* ---- what is told ---- */

static void demangle(const char *name)
{
    char mangled[PROF_CRASH_TEXT_BYTES + 8], text[2 * PROF_CRASH_TEXT_BYTES];
    (void)snprintf(mangled, sizeof mangled, "_ZTI%s", name);
    (void)sym_demangle(mangled, text, sizeof text);
}

/* It is destroyed here, as by the tools, and nothing is sent. */
static void take(void *owner, struct prof_crash *crash)
{
    static const struct exp_scope no_scope;
    const struct exp_event_options options = {
        .event_id = "0123456789abcdef0123456789abcdef", .scope = &no_scope};
    struct scene *scene = owner;
    char *payload = NULL;
    size_t bytes = 0;
    const struct prof_profile *profile = crash->profile;
    scene->told_count++;
    for (uint32_t i = 0; i < prof_profile_sample_count(profile); i++) {
        const struct prof_sample *sample = prof_profile_sample(profile, i);
        require(sample->thread < prof_profile_thread_count(profile));
        require(
            sample->stack == PROF_NONE ||
            sample->stack < prof_profile_stack_count(profile));
    }
    /* Nobody else's: it would be told to whoever gets the event. */
    require(
        crash->process == PROF_NONE ||
        prof_profile_process(profile, crash->process)->pid == (uint32_t)victim);
    demangle(crash->exception_type);
    (void)exp_crash_key(crash);
    require(exp_event_make(crash, &options, &payload, &bytes) == STATUS_OK);
    require(bytes <= EXP_EVENT_BYTES_MAX);
    json_t *event = json_loadb(payload, bytes, 0, NULL);
    require(event != NULL);
    json_decref(event);
    free(payload);
    prof_crash_destroy(crash);
}

/* ---- what is written ---- */

static struct wire_crash *slot_of(struct scene *scene)
{
    return fuzz_u8(&scene->input) % 4 == 0 ? &scene->written->handled
                                           : &scene->written->fatal;
}

/* Somewhere in the words, in code, or anywhere. */
static uint64_t address(struct fuzz_bytes *input)
{
    switch (fuzz_u8(input) % 4) {
    case 0:
        return (uint64_t)(uintptr_t)&prof_target_drain + fuzz_u16(input);
    case 1:
        return fuzz_u64(input);
    default:
        return (uint64_t)(uintptr_t)words +
               fuzz_u16(input) % (WORDS * sizeof *words);
    }
}

static void write_anywhere(struct scene *scene)
{
    uint32_t at = fuzz_u16(&scene->input) % (sizeof *scene->written / 8);
    ((_Atomic uint64_t *)(void *)scene->written)[at] = fuzz_u64(&scene->input);
}

/* As an honest agent writes, but for what follows in the input. */
static void write_honestly(struct scene *scene)
{
    static const int signals[] = {SIGSEGV, SIGBUS,  SIGFPE, SIGILL,
                                  SIGABRT, SIGTRAP, SIGSYS, 0};
    struct fuzz_bytes *input = &scene->input;
    struct wire_crash *slot = slot_of(scene);
    slot->pid = slot->tid = (uint32_t)victim;
    slot->signal = signals[fuzz_u8(input) % 8];
    slot->code = (int8_t)fuzz_u8(input);
    slot->time_ns = fuzz_u8(input) % 2 == 0 ? fuzz_u64(input)
                                            : clock_now_ns(CLOCK_MONOTONIC);
    /* Then it is told at once, for nobody dies here. */
    scene->written->is_left_in_handler = fuzz_u8(input) % 2;
    slot->frame_count = fuzz_u8(input);
    for (uint32_t i = 0; i < slot->frame_count; i++)
        slot->frames[i] = address(input);
    for (uint32_t i = 0; i < WIRE_CRASH_REGISTERS; i++)
        slot->registers[i] = fuzz_u8(input) % 2 == 0 ? address(input) : i;
}

static void write_who(struct scene *scene)
{
    const uint32_t pids[] = {
        (uint32_t)victim, (uint32_t)getpid(), (uint32_t)getppid(), 1};
    struct wire_crash *slot = slot_of(scene);
    uint8_t which = fuzz_u8(&scene->input) % 6;
    slot->pid = which < 4 ? pids[which] : fuzz_u32(&scene->input);
    slot->tid =
        fuzz_u8(&scene->input) % 2 == 0 ? slot->pid : fuzz_u32(&scene->input);
}

/* What abort() has said, and an exception that was thrown. */
static void write_places(struct scene *scene)
{
    enum { CLASS = 10 }; /* of __cxa_exception, in words */
    struct wire_crashes *written = scene->written;
    written->abort_message_pc = address(&scene->input);
    written->fatal.thread_pointer = address(&scene->input);
    written->exceptions_offset = (int8_t)fuzz_u8(&scene->input);
    written->fatal.signal = SIGABRT;
    words[fuzz_u16(&scene->input) % WORDS] =
        class_of_gcc + fuzz_u8(&scene->input) % 2;
    for (uint32_t i = fuzz_u8(&scene->input) % 64; i-- > 0;)
        words[fuzz_u16(&scene->input) % WORDS] = address(&scene->input);
    words[CLASS] = class_of_gcc;
}

static void write_words(struct scene *scene)
{
    uint32_t at = fuzz_u16(&scene->input) % WORDS;
    for (uint32_t i = fuzz_u8(&scene->input) % 32; i-- > 0;)
        words[(at + i) % WORDS] = fuzz_u64(&scene->input);
}

/* Code that has come or gone, so that there are mappings to be found. */
static void write_module(struct scene *scene)
{
    struct prof_claim claim = prof_ring_claim(
        &scene->mapping.ring, sizeof(struct wire_module), (uint32_t)victim);
    if (claim.bytes == NULL)
        return;
    struct wire_module *module = claim.bytes;
    memset(module, 0, sizeof *module);
    module->record.type =
        fuzz_u8(&scene->input) % 2 == 0 ? WIRE_MODULE : WIRE_UNMAPPED;
    module->start = address(&scene->input);
    module->end = module->start + fuzz_u16(&scene->input);
    module->offset = fuzz_u16(&scene->input);
    fuzz_take(&scene->input, module->path, 16);
    prof_ring_commit(&scene->mapping.ring, &claim);
}

static void look(struct scene *scene)
{
    const uint32_t pids[] = {0, (uint32_t)victim, 0};
    unsigned before = scene->told_count;
    scene->written->fatal.state = WIRE_CRASH_WRITTEN;
    prof_crashes_look(
        &scene->crashes, scene->target, pids[fuzz_u8(&scene->input) % 3]);
    /* Only the target itself is looked at, whoever is named. */
    require(
        scene->written->fatal.state == WIRE_CRASH_WRITTEN ||
        scene->written->fatal.pid == scene->target->inner_pid);
    require(scene->told_count - before <= 1);
    require(scene->crashes.dying.count <= 1);
}

static void step(struct scene *scene)
{
    void (*const steps[])(struct scene *) = {
        write_anywhere, write_honestly, write_who,   write_places,
        write_words,    write_module,   write_places};
    enum { WRITES = sizeof steps / sizeof *steps };
    uint8_t which = fuzz_u8(&scene->input) % STEP_COUNT;
    if (which < WRITES)
        steps[which](scene);
    else if (which == WRITES)
        (void)prof_target_drain(scene->target);
    else if (which == WRITES + 1)
        prof_crashes_note_death(&scene->crashes, scene->target);
    else if (which == WRITES + 2)
        prof_crashes_tend(&scene->crashes, scene->target);
    else
        look(scene);
}

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
    const struct prof_crash_options options = {
        .is_wanted = true,
        .are_exits_wanted = fuzz_u8(&scene.input) % 2 == 0,
        .take = take,
        .owner = &scene};
    prof_crashes_init(&scene.crashes, &options);
    memset(words, 0, WORDS * sizeof *words);
    /* In a name space of its own, every second time. */
    uint32_t pid = (uint32_t)victim;
    uint32_t inner = fuzz_u8(&scene.input) % 2 == 0 ? pid : pid + 1;
    scene.target = prof_target_open(&scene.common, pid, inner, fd, NULL, NULL);
    require(
        scene.target != NULL &&
        prof_ring_reader_open(&scene.mapping, fd, NULL) == STATUS_OK);
    (void)close(fd);
    scene.written = scene.mapping.ring.crashes;
    for (unsigned i = 0; i < STEPS_MAX && scene.input.at < scene.input.end; i++)
        step(&scene);
    prof_crashes_note_death(&scene.crashes, scene.target);
    prof_crashes_fini(&scene.crashes);
    prof_target_close(scene.target);
    prof_ring_reader_close(&scene.mapping);
    prof_build_ids_fini(&scene.common.build_ids);
    prof_profile_destroy(profile);
    return 0;
}
