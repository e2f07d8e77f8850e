/* The walk in its own process: handlers, threads, modules that vanish. */
#include <dlfcn.h>
#include <fcntl.h>
#include <libunwind.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "profiler/unwind/module_phdr.h"
#include "profiler/unwind/modules.h"
#include "profiler/unwind/sig_lookup.h"
#include "profiler/unwind/sig_walker.h"
#include "profiler/unwind/stacks.h"
#include "tests/harness.h"
#include "tests/profiler/unwind/guest.h"
#include "tests/profiler/unwind/live.h"

enum { FRAMES_MAX = 2048 };

#define NOINLINE __attribute__((noinline))

static struct prof_cfi_engine *engine;

struct result {
    uint64_t frames[FRAMES_MAX];
    struct prof_walk walk;
};

static void walk(const ucontext_t *context, struct result *result)
{
    result->walk =
        (struct prof_walk){.frames = result->frames, .capacity = FRAMES_MAX};
    engine->engine.walk(&engine->engine, context, &result->walk);
}

NOINLINE static void walk_here(void *owner)
{
    ucontext_t context;
    (void)getcontext(&context);
    walk(&context, owner);
    __asm__ volatile("");
}

/* libunwind's own walk of the same registers, one step at a time. */
static uint32_t walk_by_steps(ucontext_t *context, uint64_t *frames)
{
    unw_cursor_t cursor;
    unw_word_t pc;
    uint32_t count = 0;
    (void)unw_init_local2(&cursor, context, UNW_INIT_SIGNAL_FRAME);
    do {
        (void)unw_get_reg(&cursor, UNW_REG_IP, &pc);
        frames[count++] = pc;
    } while (count < FRAMES_MAX && unw_step(&cursor) > 0);
    return count;
}

static struct result signalled;
static uint64_t stepped[FRAMES_MAX];
static uint32_t stepped_count;

static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info;
    walk(context, &signalled);
    stepped_count = walk_by_steps(context, stepped);
}

static void handle(int number, int flags)
{
    struct sigaction action = {
        .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | flags};
    CHECK_OK(sigaction(number, &action, NULL));
}

static void check_signalled(void)
{
    CHECK_EQ(signalled.walk.end, PROF_WALK_COMPLETE);
    CHECK_EQ(signalled.walk.count, stepped_count);
    for (uint32_t i = 0; i < stepped_count; i++)
        CHECK_EQ(signalled.frames[i] & PROF_FRAME_ADDRESS, stepped[i]);
}

TEST(a_handlers_walk_equals_libunwinds)
{
    engine = live_create();
    handle(SIGUSR1, 0);
    (void)raise(SIGUSR1);
    check_signalled();
    CHECK_EQ(signalled.frames[0] & PROF_FRAME_EXACT, PROF_FRAME_EXACT);
    CHECK_EQ(signalled.frames[1] & PROF_FRAME_EXACT, 0);
    live_destroy(engine);
}

static int compare_and_signal(const void *a, const void *b)
{
    (void)raise(SIGUSR1);
    return *(const int *)a - *(const int *)b;
}

TEST(a_walk_passes_through_libraries)
{
    int values[] = {3, 1, 2};
    engine = live_create();
    handle(SIGUSR1, 0);
    qsort(values, 3, sizeof values[0], compare_and_signal);
    check_signalled();
    live_destroy(engine);
}

/* The program's own handler, on its alternate stack, is interrupted. */
static void on_outer_signal(int number)
{
    volatile char room[8192]; /* so that one page does not hold it all */
    room[number] = 1;
    (void)raise(SIGUSR1);
    __asm__ volatile("" ::"r"(room[0]));
}

TEST(a_walk_crosses_from_an_alternate_stack)
{
    engine = live_create();
    size_t size = 1 << 17;
    char *memory = malloc(size);
    stack_t stack = {.ss_sp = memory, .ss_size = size}, old;
    CHECK_OK(sigaltstack(&stack, &old));
    uint64_t start = (uint64_t)(uintptr_t)memory;
    CHECK(prof_stacks_add(&engine->stacks, start, start + size));
    struct sigaction action = {
        .sa_handler = on_outer_signal, .sa_flags = SA_ONSTACK};
    CHECK_OK(sigaction(SIGUSR2, &action, NULL));
    handle(SIGUSR1, SA_ONSTACK);
    (void)raise(SIGUSR2);
    check_signalled();

    /* What a signal interrupts is no return address. */
    uint32_t exact = 0;
    for (uint32_t i = 0; i < signalled.walk.count; i++)
        exact += (signalled.frames[i] & PROF_FRAME_EXACT) != 0;
    CHECK_EQ(exact, 2);

    prof_stacks_remove(&engine->stacks, start);
    (void)raise(SIGUSR2);
    CHECK_EQ(signalled.walk.end, PROF_WALK_INCOMPLETE);
    CHECK_OK(sigaltstack(&old, NULL));
    free(memory);
    live_destroy(engine);
}

/* From more than a page below the first frame. */
NOINLINE static void walk_below(struct result *result)
{
    volatile char room[8192];
    room[0] = 1;
    walk_here(result);
    __asm__ volatile("" ::"r"(room[0]));
}

TEST(an_unknown_stack_is_read_no_further_than_its_page)
{
    static struct result result;
    engine = live_create();
    live_remove_stack(engine);
    walk_below(&result);
    CHECK_EQ(result.walk.end, PROF_WALK_INCOMPLETE);
    CHECK(result.walk.count >= 1);
    live_add_stack(engine);
    walk_below(&result);
    CHECK_EQ(result.walk.end, PROF_WALK_COMPLETE);
    live_destroy(engine);
}

NOINLINE static void go_deep(int depth, struct result *result)
{
    if (depth == 0)
        walk_here(result);
    else
        go_deep(depth - 1, result);
    __asm__ volatile("");
}

TEST(a_deep_stack_is_cut_and_says_so)
{
    static struct result result;
    engine = live_create();
    for (int i = 0; i < 2; i++) { /* without a trail, and along one */
        go_deep(5000, &result);
        CHECK_EQ(result.walk.end, PROF_WALK_CUT);
        CHECK_EQ(result.walk.count, PROF_CFI_FRAMES_DEFAULT);
        CHECK_EQ(result.walk.capacity, FRAMES_MAX);
    }
    live_destroy(engine);
}

static void *walk_in_thread(void *owner)
{
    live_add_stack(engine);
    go_deep(10, owner);
    live_remove_stack(engine);
    return NULL;
}

TEST(a_threads_walk_ends_where_the_thread_began)
{
    static struct result result;
    pthread_t thread;
    engine = live_create();
    CHECK_OK(pthread_create(&thread, NULL, walk_in_thread, &result));
    CHECK_OK(pthread_join(thread, NULL));
    CHECK_EQ(result.walk.end, PROF_WALK_COMPLETE);
    live_destroy(engine);
}

/* A walk by cache and trail must be the one that CFI alone gives. */
NOINLINE static void compare_walks(void)
{
    static struct result fast, slow;
    struct prof_reader reader = {.refill = NULL};
    struct prof_regs regs;
    uint64_t low, high;
    ucontext_t context;
    (void)getcontext(&context);
    walk(&context, &fast);

    prof_regs_from_ucontext(&regs, &context);
    CHECK(prof_stacks_find(
        &engine->stacks, regs.value[PROF_REG_SP], &low, &high));
    prof_reader_set_window(&reader, low, high, low);
    slow.walk = (struct prof_walk){
        .frames = slow.frames, .capacity = PROF_CFI_FRAMES_DEFAULT};
    prof_walk_stack(
        &regs, NULL, &reader, &engine->modules, NULL, NULL, &slow.walk);
    CHECK_EQ(fast.walk.end, slow.walk.end);
    CHECK_EQ(fast.walk.count, slow.walk.count);
    CHECK_OK(memcmp(
        fast.frames, slow.frames, sizeof fast.frames[0] * fast.walk.count));
}

/* Call trees with frames of several sizes at the same depth. */
NOINLINE static void wander(unsigned *seed, int depth);

NOINLINE static void wander_far(unsigned *seed, int depth)
{
    volatile char room[200];
    room[depth] = 1;
    wander(seed, depth - 1);
    __asm__ volatile("" ::"r"(room[depth]));
}

NOINLINE static void wander_aligned(unsigned *seed, int depth)
{
    _Alignas(64) volatile char room[64];
    room[depth % 64] = 1;
    wander(seed, depth - 1);
    __asm__ volatile("" ::"r"(room[0]));
}

static void wander(unsigned *seed, int depth)
{
    int turns = depth > 0 ? 1 + rand_r(seed) % 2 : 0;
    if (turns == 0)
        compare_walks();
    for (int i = 0; i < turns; i++) {
        int way = rand_r(seed) % 3;
        if (way == 0)
            wander(seed, depth - 1);
        else if (way == 1)
            wander_far(seed, depth);
        else
            wander_aligned(seed, depth);
    }
    __asm__ volatile("");
}

TEST(a_trail_changes_no_walk)
{
    unsigned seed = 1;
    engine = live_create();
    wander(&seed, 14);
    wander(&seed, 40 % 15);
    for (int i = 0; i < 20; i++)
        wander(&seed, i % 9);
    live_destroy(engine);
}

TEST(a_stack_deeper_than_its_trail_is_walked_the_same)
{
    static struct result results[3];
    engine = live_create();
    for (volatile int i = 0; i < 3; i++) /* one call, thrice */
        go_deep(700, &results[i]);
    CHECK_EQ(results[0].walk.end, PROF_WALK_COMPLETE);
    for (int i = 1; i < 3; i++)
        CHECK_OK(memcmp(
            results[i].frames, results[0].frames, sizeof results[0].frames));
    live_destroy(engine);
}

/* A mapping of our own of the library's frames, and its texts. */
struct guest {
    void *handle;
    void (*call)(guest_callback *callback, void *owner);
    void *frames;
    size_t frames_bytes;
    struct prof_text texts[4];
    uint32_t text_count;
};

static int map_guest(struct dl_phdr_info *info, size_t size, void *owner)
{
    (void)size;
    struct guest *guest = owner;
    if (strstr(info->dlpi_name, "libunwind_guest.so") == NULL)
        return 0;
    struct prof_loaded_image image = {
        .bias = info->dlpi_addr,
        .headers = info->dlpi_phdr,
        .header_count = info->dlpi_phnum,
    };
    struct prof_frames_range range;
    CHECK(prof_loaded_frames(&image, &range));
    int fd = open(info->dlpi_name, O_RDONLY | O_CLOEXEC);
    uint64_t into = range.offset % 4096;
    guest->frames_bytes = range.size_bytes + into;
    guest->frames = mmap(
        NULL, guest->frames_bytes, PROT_READ, MAP_PRIVATE, fd,
        (off_t)(range.offset - into));
    CHECK(guest->frames != MAP_FAILED);
    (void)close(fd);
    image.frames = (const uint8_t *)guest->frames + into;
    guest->text_count = prof_loaded_texts(&image, guest->texts, 4);
    CHECK(guest->text_count > 0);
    CHECK(guest->texts[0].eh_frame.bytes != NULL);
    return 1;
}

static void load_guest(struct guest *guest)
{
    *guest = (struct guest){.handle = dlopen(GUEST_LIBRARY, RTLD_NOW)};
    CHECK(guest->handle != NULL);
    *(void **)&guest->call = dlsym(guest->handle, "guest_call");
    CHECK(guest->call != NULL);
    CHECK(dl_iterate_phdr(map_guest, guest) == 1);
}

/* Publish what `base` has, and the guest when there is one. */
static void publish_with(
    const struct prof_text_list *base, const struct guest *guest)
{
    static struct prof_text texts[PROF_TEXTS_MAX];
    uint32_t count = base->count;
    memcpy(texts, base->texts, sizeof texts[0] * count);
    for (uint32_t i = 0; guest != NULL && i < guest->text_count; i++)
        texts[count++] = guest->texts[i];
    while (
        !prof_modules_publish(&engine->modules, texts, count, &engine->cache))
        (void)sched_yield();
    while (!prof_modules_settle(&engine->modules, &engine->cache))
        (void)sched_yield();
}

static atomic_bool is_over;
static atomic_ulong walks_done;

/* Threads that interrupt themselves all the time. */
static void on_storm(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info;
    struct result result;
    walk(context, &result);
    atomic_fetch_add(&walks_done, 1);
}

static void *storm(void *unused)
{
    live_add_stack(engine);
    while (!atomic_load(&is_over))
        (void)raise(SIGUSR1);
    return unused;
}

TEST(a_library_may_be_unloaded_under_running_handlers)
{
    static struct prof_text_list base;
    static struct result result;
    pthread_t thread;
    engine = live_create();
    base = engine->modules.lists[1];
    CHECK(base.count > 0);
    struct sigaction action = {
        .sa_sigaction = on_storm, .sa_flags = SA_SIGINFO};
    CHECK_OK(sigaction(SIGUSR1, &action, NULL));
    atomic_store(&is_over, false);
    CHECK_OK(pthread_create(&thread, NULL, storm, NULL));
    while (atomic_load(&walks_done) == 0)
        (void)sched_yield();
    for (int i = 0; i < 60; i++) {
        struct guest guest;
        load_guest(&guest);
        guest.call(walk_here, &result);
        CHECK(
            result.walk.end != PROF_WALK_COMPLETE ||
            (result.frames[2] & PROF_FRAME_GUESSED) != 0);
        publish_with(&base, &guest);
        guest.call(walk_here, &result);
        CHECK_EQ(result.walk.end, PROF_WALK_COMPLETE);
        CHECK_OK(dlclose(guest.handle));
        publish_with(&base, NULL);
        CHECK_OK(munmap(guest.frames, guest.frames_bytes));
    }
    atomic_store(&is_over, true);
    CHECK_OK(pthread_join(thread, NULL));
    live_destroy(engine);
}

TEST(a_forked_child_walks_although_others_were_inside)
{
    engine = live_create();
    atomic_fetch_add(&engine->modules.readers[0], 1);
    atomic_fetch_add(&engine->modules.readers[1], 1);
    for (unsigned i = 0; i < PROF_CFI_TRAILS; i++)
        atomic_store(&engine->trails[i].is_taken, 1);
    pid_t pid = fork();
    if (pid == 0) {
        static struct result result;
        prof_cfi_engine_after_fork(engine);
        walk_here(&result);
        bool is_published = live_publish(engine, NULL);
        bool is_settled = prof_modules_settle(&engine->modules, &engine->cache);
        _exit(
            result.walk.end == PROF_WALK_COMPLETE && is_published && is_settled
                ? 0
                : 1);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK_EQ(status, 0);
    live_destroy(engine);
}

/* Of every pc of the C library, in no order that favours neighbours. */
TEST(a_cached_row_is_that_of_its_pc)
{
    engine = live_create();
    uint64_t own = (uint64_t)(uintptr_t)&nanosleep;
    struct prof_modules *modules = &engine->modules;
    const struct prof_text_list *list = prof_modules_enter(modules);
    const struct prof_text *text = prof_text_find(list, own);
    uint64_t bytes = text->end - text->start;
    prof_modules_leave(modules, list);
    unsigned long hits = 0;
    for (uint64_t i = 0; i < bytes; i++) {
        uint64_t key = text->start + i * 7919 % bytes + 1;
        uint32_t row, wanted = prof_lookup_row(modules, NULL, key);
        bool is_hit = prof_row_cache_get(&engine->cache, key, &row);
        hits += is_hit;
        if (!is_hit)
            row = prof_lookup_row(modules, &engine->cache, key);
        CHECK_EQ(row | 31, wanted | 31);
    }
    CHECK(hits > bytes / 2);
    live_destroy(engine);
}

TEST(a_call_through_a_wild_pointer_still_has_its_caller)
{
    static struct result result;
    ucontext_t context;
    uint64_t stack[64] = {0};
    engine = live_create();
    (void)getcontext(&context);
    /* As after a call to address 16 from here. */
    stack[0] = (uint64_t)context.uc_mcontext.gregs[REG_RIP] + 1;
    context.uc_mcontext.gregs[REG_RIP] = 16;
    context.uc_mcontext.gregs[REG_RSP] = (int64_t)(uintptr_t)stack;
    walk(&context, &result);
    CHECK_EQ(result.frames[0], PROF_FRAME_EXACT | 16);
    CHECK(result.walk.count >= 2);
    CHECK_EQ(result.frames[1], stack[0] | PROF_FRAME_GUESSED);
    live_destroy(engine);
}
