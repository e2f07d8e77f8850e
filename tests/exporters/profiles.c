/* Hand-made profiles that the exporters' tests share. */
#include "tests/exporters/profiles.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PERIOD_NS = 1000000 };

/* ---- building blocks ---- */

static uint32_t add_process(
    struct prof_profile *p, uint32_t pid, const char *name, const char *path)
{
    struct prof_process row = {
        .pid = pid,
        .name = prof_profile_string(p, name),
        .path = prof_profile_string(p, path)};
    return prof_profile_add_process(p, &row);
}

static uint32_t add_thread(
    struct prof_profile *p, uint32_t process, uint32_t tid, const char *name)
{
    struct prof_thread row = {
        .process = process, .tid = tid, .name = prof_profile_string(p, name)};
    return prof_profile_add_thread(p, &row);
}

static uint32_t add_module(
    struct prof_profile *p, enum prof_module_kind kind, const char *path)
{
    struct prof_module row = {
        .kind = kind, .path = prof_profile_string(p, path)};
    return prof_profile_add_module(p, &row);
}

static uint32_t named(struct prof_profile *p, const char *name)
{
    return prof_profile_add_named_frame(p, PROF_FRAME_NAMED, name);
}

static uint32_t account(struct prof_profile *p, const char *name)
{
    uint32_t frame = prof_profile_add_named_frame(p, PROF_FRAME_ACCOUNT, name);
    return prof_profile_add_stack(p, PROF_NONE, frame);
}

/* A native frame with one line, or none where `function` is NULL. */
static uint32_t native(
    struct prof_profile *p, uint32_t module, uint64_t offset,
    const char *function, const char *file, uint32_t line)
{
    uint32_t frame = prof_profile_add_native_frame(p, module, offset);
    if (function == NULL)
        return frame;
    struct prof_line row = {
        .function = prof_profile_string(p, function),
        .file = prof_profile_string(p, file),
        .line = line};
    prof_profile_set_lines(p, frame, &row, 1);
    return frame;
}

static uint32_t stack_of(
    struct prof_profile *p, const uint32_t *frames, size_t count)
{
    uint32_t stack = PROF_NONE;
    for (size_t i = 0; i < count; i++)
        stack = prof_profile_add_stack(p, stack, frames[i]);
    return stack;
}
#define STACK(p, ...)                                                          \
    stack_of(                                                                  \
        p, (const uint32_t[]){__VA_ARGS__},                                    \
        sizeof(uint32_t[]){__VA_ARGS__} / sizeof(uint32_t))

static void sample(
    struct prof_profile *p, uint32_t thread, uint32_t stack, uint64_t value,
    uint8_t flags)
{
    struct prof_sample row = {
        .thread = thread,
        .stack = stack,
        .time_ns = (uint64_t)prof_profile_sample_count(p) * PERIOD_NS,
        .flags = flags,
        .values = {value}};
    (void)prof_profile_add_sample(p, &row);
}

static struct prof_profile *cpu_profile(const char *command)
{
    struct prof_profile *p = prof_profile_create();
    (void)prof_profile_add_value_type(p, "cpu", "nanoseconds");
    struct prof_origin *origin = prof_profile_origin(p);
    origin->command_line = prof_profile_string(p, command);
    origin->clock = prof_profile_string(p, "perf cpu-clock");
    origin->period_ns = PERIOD_NS;
    return p;
}

/* ---- the story ---- */

static void add_story_origin(struct prof_profile *p)
{
    struct prof_origin *origin = prof_profile_origin(p);
    origin->hostname = prof_profile_string(p, "host");
    origin->os_release = prof_profile_string(p, "6.1.0-13-amd64");
    origin->architecture = prof_profile_string(p, "x86_64");
    origin->start_unix_ns = 1700000000000000000;
    origin->start_ns = 5000000000;
    origin->end_ns = 5050000000;
    origin->cpu_ns = 41000000;
    origin->cpu_count = 2;
    prof_profile_add_loss(p, PROF_LOSS_RING_FULL, 2);
    prof_profile_add_loss(p, PROF_LOSS_INCOMPLETE, 1);
    prof_profile_add_loss(p, PROF_LOSS_NO_SYMBOL, 3);
    prof_profile_add_note(p, "process 7 was not sampled: it is static");
}

/* compress() with two functions inlined at one of its addresses. */
static uint32_t inlined_frame(struct prof_profile *p, uint32_t module)
{
    uint32_t frame = prof_profile_add_native_frame(p, module, 0x2020);
    uint32_t header = prof_profile_string(p, "/src/pack/bits.h");
    struct prof_line lines[] = {
        {.function = prof_profile_string(p, "put_bit"),
         .file = header,
         .line = 12,
         .is_inlined = true},
        {.function = prof_profile_string(p, "put_bits"),
         .file = header,
         .line = 31,
         .is_inlined = true},
        {.function = prof_profile_string(p, "compress"),
         .file = prof_profile_string(p, "/src/pack/compress.c"),
         .line = 208},
    };
    prof_profile_set_lines(p, frame, lines, 3);
    return frame;
}

struct prof_profile *profile_story(void)
{
    struct prof_profile *p = cpu_profile("/usr/bin/pack -9 <a & b>.txt");
    add_story_origin(p);
    uint32_t process = add_process(p, 100, "pack", "/usr/bin/pack");
    uint32_t thread = add_thread(p, process, 100, "pack");
    uint32_t program = add_module(p, PROF_MODULE_FILE, "/usr/bin/pack");
    uint32_t libc =
        add_module(p, PROF_MODULE_FILE, "/lib/x86_64-linux-gnu/libc.so.6");
    uint32_t kernel = add_module(p, PROF_MODULE_KERNEL, "[kernel.kallsyms]");
    const char *file = "/src/pack/compress.c";

    uint32_t start = native(p, program, 0x1000, "_start", "", 0);
    uint32_t entry = native(p, program, 0x1100, "main", "/src/pack/main.c", 40);
    uint32_t compress = native(p, program, 0x2000, "compress", file, 200);
    uint32_t other = native(p, program, 0x2010, "compress", file, 204);
    uint32_t bits = inlined_frame(p, program);
    uint32_t walk = native(p, program, 0x3000, "walk", "/src/pack/tree.c", 7);
    uint32_t again = native(p, program, 0x3008, "walk", "/src/pack/tree.c", 9);
    uint32_t copy = native(p, libc, 0x9000, "memcpy", "", 0);
    uint32_t put = native(p, libc, 0x9900, "write", "", 0);
    uint32_t call = native(p, kernel, 0xffffffff81000000, "vfs_write", "", 0);
    uint32_t bare = native(p, libc, 0xbeef, NULL, NULL, 0);

    sample(p, thread, STACK(p, start, entry, compress), 10 * PERIOD_NS, 0);
    sample(p, thread, STACK(p, start, entry, other), 3 * PERIOD_NS, 0);
    sample(p, thread, STACK(p, start, entry, bits), 8 * PERIOD_NS, 0);
    sample(p, thread, STACK(p, start, entry, other, copy), 5 * PERIOD_NS, 0);
    sample(p, thread, STACK(p, start, entry, walk), PERIOD_NS, 0);
    sample(p, thread, STACK(p, start, entry, walk, again), PERIOD_NS, 0);
    sample(
        p, thread, STACK(p, start, entry, walk, again, again, copy),
        2 * PERIOD_NS, 0);
    sample(p, thread, STACK(p, start, entry, put, call), 4 * PERIOD_NS, 0);
    sample(p, thread, STACK(p, start, entry, bare), PERIOD_NS, 0);
    sample(p, thread, STACK(p, compress), 2 * PERIOD_NS, PROF_SAMPLE_TRUNCATED);
    sample(p, thread, PROF_NONE, PERIOD_NS, 0);
    sample(p, thread, account(p, "[startup]"), 2 * PERIOD_NS, 0);
    sample(p, thread, account(p, "[exit]"), PERIOD_NS / 2, 0);
    return p;
}

/* ---- the others ---- */

/* ---- asleep ---- */

static void spend(
    struct prof_profile *p, uint32_t thread, uint32_t stack,
    enum prof_state state, uint64_t ms)
{
    struct prof_sample row = {
        .thread = thread,
        .stack = stack,
        .time_ns = (uint64_t)prof_profile_sample_count(p) * PERIOD_NS,
        .state = (uint8_t)state,
        .values = {ms * PERIOD_NS}};
    if (!prof_state_is_off_cpu(state))
        row.values[1] = row.values[0];
    (void)prof_profile_add_sample(p, &row);
}

struct prof_profile *profile_asleep(void)
{
    struct prof_profile *p = prof_profile_create();
    (void)prof_profile_add_value_type(p, "wall", "nanoseconds");
    (void)prof_profile_add_value_type(p, "cpu", "nanoseconds");
    struct prof_origin *origin = prof_profile_origin(p);
    origin->command_line = prof_profile_string(p, "/usr/bin/serve");
    origin->clock = prof_profile_string(p, "perf cpu-clock");
    origin->period_ns = PERIOD_NS;
    uint32_t process = add_process(p, 100, "serve", "/usr/bin/serve");
    uint32_t first = add_thread(p, process, 100, "serve");
    uint32_t worker = add_thread(p, process, 101, "worker");
    uint32_t program = add_module(p, PROF_MODULE_FILE, "/usr/bin/serve");
    uint32_t libc =
        add_module(p, PROF_MODULE_FILE, "/lib/x86_64-linux-gnu/libc.so.6");
    uint32_t entry = native(p, program, 0x1100, "main", "/src/serve.c", 40);
    uint32_t work = native(p, program, 0x1200, "work", "/src/serve.c", 60);
    uint32_t wait = native(p, libc, 0x9000, "epoll_wait", "", 0);
    uint32_t load = native(p, libc, 0x9900, "read", "", 0);

    spend(p, first, STACK(p, entry, wait), PROF_STATE_SLEEPING, 700);
    spend(p, first, STACK(p, entry, wait), PROF_STATE_ON_CPU, 20);
    spend(p, first, STACK(p, entry), PROF_STATE_ON_CPU, 280);
    spend(p, worker, STACK(p, work), PROF_STATE_ON_CPU, 550);
    spend(p, worker, STACK(p, work, load), PROF_STATE_UNINTERRUPTIBLE, 250);
    spend(p, worker, account(p, "[runnable]"), PROF_STATE_RUNNABLE, 150);
    spend(p, worker, account(p, "[off-cpu]"), PROF_STATE_OFF_CPU, 50);
    return p;
}

struct prof_profile *profile_two_processes(void)
{
    struct prof_profile *p = cpu_profile("make all");
    uint32_t entry = named(p, "main");
    uint32_t work = named(p, "work");
    for (uint32_t pid = 10; pid <= 20; pid += 10) {
        uint32_t process = add_process(p, pid, "Web Content", "/opt/web");
        uint32_t first = add_thread(p, process, pid, "");
        uint32_t second = add_thread(p, process, pid + 1, "pool worker");
        sample(p, first, STACK(p, entry), pid * 100, 0);
        sample(p, second, STACK(p, entry, work), pid * 300, 0);
        sample(p, second, account(p, "[exit]"), pid, 0);
    }
    return p;
}

struct prof_profile *profile_ugly_names(void)
{
    struct prof_profile *p = cpu_profile("sh -c 'a < b' ]]> \x1b[31m\xff");
    uint32_t process = add_process(p, 1, "a;b <c>", "/x");
    uint32_t thread = add_thread(p, process, 1, "t");
    uint32_t entry = named(p, "operator<< <\"A&B\", 'c'>(;)");
    static const char *const names[] = {
        "\xff\xfe broken",
        "line\nbreak\ttab",
        "bell\x07 escape\x1b[31m",
        "</script><script>alert(1)</script>",
        "]]>",
        "caf\xc3\xa9 \xe5\x87\xbd\xe6\x95\xb0",
        "cut \xe2\x82",
        "surrogate \xed\xa0\x80",
        "not a character \xef\xbf\xbf",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        sample(p, thread, STACK(p, entry, named(p, names[i])), 1000, 0);
    return p;
}

struct prof_profile *profile_long_names(void)
{
    struct prof_profile *p = cpu_profile("names");
    uint32_t thread = add_thread(p, add_process(p, 1, "names", "/n"), 1, "");
    static const char *const names[] = {
        "std::vector<int, std::allocator<int> >::push_back(int const&)",
        "void (anonymous namespace)::Parser::parse_expression<char>() const",
        "main.(*Server).handleConnection",
        "std::ostream& log::operator<<(std::ostream&, log::entry const&)",
        "<alloc::vec::Vec<T> as core::iter::traits::Extend<T>>::extend",
        "run(task&)::{lambda(int)#1}::operator()(int) const",
        "void std::__sort<int*, f(v<int>&)::{lambda(int)#1}>(int*, int*)",
        "bool std::operator< <char, std::allocator<char> >(char const*)",
        "operator new[](unsigned long, std::nothrow_t const&)",
        "a.out: not a name (",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        sample(p, thread, STACK(p, named(p, names[i])), PERIOD_NS, 0);
    return p;
}

struct prof_profile *profile_empty(void)
{
    struct prof_profile *p = cpu_profile("");
    (void)add_thread(p, add_process(p, 1, "true", "/bin/true"), 1, "true");
    return p;
}

struct prof_profile *profile_deep(uint32_t depth)
{
    struct prof_profile *p = cpu_profile("deep");
    uint32_t thread = add_thread(p, add_process(p, 1, "deep", "/deep"), 1, "");
    uint32_t stack = PROF_NONE;
    uint32_t half = PROF_NONE;
    for (uint32_t level = 0; level < depth; level++) {
        char name[32];
        (void)snprintf(name, sizeof name, "level_%" PRIu32, level);
        stack = prof_profile_add_stack(p, stack, named(p, name));
        if (level == depth / 2)
            half = stack;
    }
    sample(p, thread, stack, 3 * PERIOD_NS, 0);
    sample(p, thread, half, PERIOD_NS, 0);
    return p;
}

struct prof_profile *profile_huge_counts(void)
{
    struct prof_profile *p = cpu_profile("huge");
    uint32_t thread = add_thread(p, add_process(p, 1, "huge", "/huge"), 1, "");
    uint32_t entry = named(p, "main");
    sample(p, thread, STACK(p, entry, named(p, "a")), UINT64_MAX / 2, 0);
    sample(p, thread, STACK(p, entry, named(p, "b")), UINT64_MAX / 2, 0);
    sample(p, thread, STACK(p, entry, named(p, "b")), UINT64_MAX / 2, 0);
    return p;
}

/* ---- the large one ---- */

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

enum { LARGE_FUNCTIONS = 3000, LARGE_MODULES = 4 };

static void add_large_frames(
    struct prof_profile *p, uint32_t frames[static LARGE_FUNCTIONS])
{
    static const char *const paths[LARGE_MODULES] = {
        "/usr/lib/gcc/x86_64-linux-gnu/12/cc1plus",
        "/usr/lib/x86_64-linux-gnu/libstdc++.so.6.0.30",
        "/usr/lib/x86_64-linux-gnu/libc.so.6", "[kernel.kallsyms]"};
    static const char *const forms[LARGE_MODULES] = {
        "tree_pass_%u::execute(function*)",
        "std::__detail::_Map_base<unsigned int, std::pair<unsigned int const, "
        "node_%u*>, std::allocator<std::pair<unsigned int const, node_%u*> > "
        ">::operator[](unsigned int const&)",
        "__internal_%u", "sys_call_%u"};
    uint32_t modules[LARGE_MODULES];
    for (uint32_t i = 0; i < LARGE_MODULES; i++) {
        modules[i] = add_module(
            p, i == 3 ? PROF_MODULE_KERNEL : PROF_MODULE_FILE, paths[i]);
    }
    for (uint32_t i = 0; i < LARGE_FUNCTIONS; i++) {
        uint32_t kind = i % 16 < 11 ? 0 : i % 16 < 14 ? 1 : i % 16 - 12;
        char name[256];
        char file[64];
        /* The format is one of the literals above. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(name, sizeof name, forms[kind], i, i);
#pragma GCC diagnostic pop
        (void)snprintf(file, sizeof file, "/src/gcc/unit-%u.cc", i / 20);
        frames[i] = native(p, modules[kind], i * 16, name, file, i % 20 * 50);
    }
}

struct prof_profile *profile_large(uint32_t stacks)
{
    struct prof_profile *p = cpu_profile("/usr/bin/g++ -O2 -c large.cc");
    struct prof_origin *origin = prof_profile_origin(p);
    origin->start_ns = PERIOD_NS;
    origin->end_ns = PERIOD_NS + (uint64_t)stacks * PERIOD_NS;
    origin->cpu_ns = (uint64_t)stacks * PERIOD_NS;
    uint32_t process = add_process(
        p, 7, "cc1plus", "/usr/lib/gcc/x86_64-linux-gnu/12/cc1plus");
    uint32_t thread = add_thread(p, process, 7, "cc1plus");
    static uint32_t frames[LARGE_FUNCTIONS];
    add_large_frames(p, frames);

    /*
     * Each stack leaves the one before near its end, as time does, and takes
     * few different ways from a caller, as programs do.
     */
    uint32_t path[60] = {0};
    uint32_t depth = 0;
    uint64_t random = 88172645463325252;
    for (uint32_t i = 0; i < stacks; i++) {
        uint32_t back = 1 + (uint32_t)(next_random(&random) % 8);
        if (next_random(&random) % 16 == 0)
            back = 60;
        uint32_t keep = back < depth ? depth - back : 0;
        depth = keep + 1 + (uint32_t)(next_random(&random) % 9);
        depth = depth < 10 ? 10 : depth > 60 ? 60 : depth;
        for (uint32_t at = keep; at < depth; at++) {
            uint32_t caller = at > 0 ? path[at - 1] : 0;
            uint32_t pick = (uint32_t)(next_random(&random) % 4);
            path[at] = (caller * 31 + pick * pick + at) % LARGE_FUNCTIONS;
        }
        uint32_t stack = PROF_NONE;
        for (uint32_t at = 0; at < depth; at++)
            stack = prof_profile_add_stack(p, stack, frames[path[at]]);
        sample(p, thread, stack, PERIOD_NS, 0);
    }
    return p;
}
