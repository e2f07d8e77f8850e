/* Profiles to record, and small tools that tests of recordings share. */
#include "tests/profiler/recording/fixture.h"

#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint32_t fixture_stack(
    struct prof_profile *profile, const uint32_t *frames, size_t count)
{
    uint32_t stack = PROF_NONE;
    while (count-- > 0)
        stack = prof_profile_add_stack(profile, stack, frames[count]);
    return stack;
}

void fixture_sample(
    struct prof_profile *profile, uint32_t thread, uint32_t stack,
    uint64_t time_ns, uint64_t value)
{
    struct prof_sample sample = {
        .time_ns = time_ns,
        .thread = thread,
        .stack = stack,
        .state = PROF_STATE_ON_CPU,
        .values = {value}};
    prof_profile_add_sample(profile, &sample);
}

static uint32_t add_module(
    struct prof_profile *p, enum prof_module_kind kind, const char *path,
    unsigned char build_id)
{
    struct prof_module module = {
        .kind = kind, .path = prof_profile_string(p, path)};
    if (build_id != 0) {
        module.build_id_bytes = PROF_BUILD_ID_BYTES;
        memset(module.build_id, build_id, PROF_BUILD_ID_BYTES);
    }
    return prof_profile_add_module(p, &module);
}

static uint32_t add_process(
    struct prof_profile *p, uint32_t pid, uint32_t parent, const char *name,
    uint64_t start_ns)
{
    struct prof_process process = {
        .pid = pid,
        .parent_pid = parent,
        .name = prof_profile_string(p, name),
        .path = prof_profile_string(p, "/opt/bin/shop"),
        .start_ns = start_ns,
        .end_ns = start_ns + 900000,
        .cpu_ns = 123456};
    return prof_profile_add_process(p, &process);
}

static void add_mapping(
    struct prof_profile *p, uint32_t process, uint32_t module, uint64_t start,
    uint64_t offset, uint64_t from_ns, uint64_t to_ns)
{
    struct prof_mapping mapping = {
        .process = process,
        .module = module,
        .start = start,
        .end = start + 0x10000,
        .offset = offset,
        .from_ns = from_ns,
        .to_ns = to_ns};
    prof_profile_add_mapping(p, &mapping);
}

static void add_origin(struct prof_profile *p)
{
    struct prof_origin origin = {
        .command_line = prof_profile_string(p, "/opt/bin/shop --serve"),
        .hostname = prof_profile_string(p, "forge"),
        .os_release = prof_profile_string(p, "6.1.0-13-amd64"),
        .architecture = prof_profile_string(p, "x86_64"),
        .clock = prof_profile_string(p, "perf cpu-clock, sigtrap"),
        .period_ns = 1003009,
        .start_unix_ns = 1700000000000000000,
        .start_ns = 1000,
        .end_ns = 999000,
        .cpu_ns = 777,
        .cpu_count = 4};
    *prof_profile_origin(p) = origin;
    prof_profile_add_loss(p, PROF_LOSS_RING_FULL, 3);
    prof_profile_add_loss(p, PROF_LOSS_GUESSED, 1ull << 40);
    prof_profile_add_note(p, "process 7 was not sampled: it is static");
    prof_profile_add_note(p, "a thread had no timer");
    for (uint64_t i = 0; i < 3; i++)
        (void)prof_profile_add_reading(
            p, &(struct prof_reading){
                   .time_ns = 2000 * i,
                   .span_ns = 1ull << (20 * i),
                   .cpu_ns = 5 + i,
                   .resident_bytes = 1ull << 40,
                   .process_count = 2,
                   .thread_count = 70000});
}

static void add_lines(struct prof_profile *p, uint32_t frame)
{
    struct prof_line lines[2] = {
        {.function = prof_profile_string(p, "hash<int>::step"),
         .file = prof_profile_string(p, "src/hash.hpp"),
         .line = 12,
         .column = 7,
         .is_inlined = true},
        {.function = prof_profile_string(p, "lookup"), .line = 88}};
    prof_profile_set_lines(p, frame, lines, 2);
}

/* Two images of a pid and two threads of a child, in turn. */
static void add_samples(struct prof_profile *p, const uint32_t stacks[7])
{
    for (uint32_t i = 0; i < 70; i++) {
        uint32_t stack = i % 7, thread = i % 4 == 1 ? 0 : i % 4;
        if (i >= 40) {
            thread = 1; /* the second image of the pid */
            stack = stack == 3 ? 0 : stack;
        } else if (stack == 3) {
            thread = 0; /* whose code is in that memory */
        }
        struct prof_sample sample = {
            .time_ns = 3000 + i * 12000 + i % 3 * 30000 + i / 40 * 100000,
            .thread = thread,
            .stack = stacks[stack],
            .state = (uint8_t)(i % PROF_STATE_COUNT),
            .flags = i % 11 == 0 ? PROF_SAMPLE_TRUNCATED : 0,
            .values = {1000000 + i * 7, 5 + i}};
        prof_profile_add_sample(p, &sample);
    }
}

static struct prof_profile *make(bool has_samples)
{
    struct prof_profile *p = prof_profile_create();
    prof_profile_add_value_type(p, "wall", "nanoseconds");
    prof_profile_add_value_type(p, "cpu", "nanoseconds");
    uint32_t shop = add_process(p, 4242, 1, "shop", 1000);
    uint32_t image = add_process(p, 4242, 1, "mailer", 540000);
    uint32_t child = add_process(p, 4300, 4242, "worker", 200000);
    uint32_t t[] = {shop, image, child, child};
    uint32_t tids[] = {4242, 4242, 4300, 4301};
    for (uint32_t i = 0; i < 4; i++) {
        struct prof_thread thread = {
            .process = t[i],
            .tid = tids[i],
            .name = prof_profile_string(p, i == 3 ? "pool-1" : "")};
        prof_profile_add_thread(p, &thread);
    }
    uint32_t app = add_module(p, PROF_MODULE_FILE, "/opt/bin/shop", 0xab);
    uint32_t lib = add_module(p, PROF_MODULE_FILE, "/opt/lib/libz.so", 0);
    uint32_t vdso = add_module(p, PROF_MODULE_VDSO, "[vdso]", 0);
    uint32_t kernel = add_module(p, PROF_MODULE_KERNEL, "[kernel.kallsyms]", 0);
    uint32_t jit = add_module(p, PROF_MODULE_ANONYMOUS, "anon:4242", 0);
    add_mapping(p, shop, app, 0x400000, 0x1000, 1000, 0);
    add_mapping(p, shop, lib, 0x7f0000000000, 0, 2000, 300000);
    add_mapping(p, shop, lib, 0x7f0000100000, 0, 300000, UINT64_MAX);
    add_mapping(p, shop, vdso, 0x7fff00000000, 0, 1000, 0);
    add_mapping(p, shop, jit, 0x10000000, 0x10000000, 1000, 0);
    add_mapping(p, image, app, 0x550000, 0x1000, 540000, 0);
    add_mapping(p, child, app, 0x400000, 0x1000, 200000, 0);

    uint32_t entry = prof_profile_add_native_frame(p, app, 0x1100);
    uint32_t lookup = prof_profile_add_native_frame(p, app, 0x1200);
    uint32_t inflate = prof_profile_add_native_frame(p, lib, 0x345);
    uint32_t clock = prof_profile_add_native_frame(p, vdso, 0x620);
    uint32_t fault =
        prof_profile_add_native_frame(p, kernel, 0xffffffff81234567);
    uint32_t code = prof_profile_add_native_frame(p, jit, 0x10000040);
    uint32_t lost = prof_profile_add_native_frame(p, lib, 0x77777777);
    uint32_t python =
        prof_profile_add_named_frame(p, PROF_FRAME_NAMED, "parse (m.py:3)");
    uint32_t startup =
        prof_profile_add_named_frame(p, PROF_FRAME_ACCOUNT, "[startup]");
    add_lines(p, lookup);
    add_origin(p);

    uint32_t stacks[] = {
        fixture_stack(p, (uint32_t[]){lookup, entry}, 2),
        fixture_stack(p, (uint32_t[]){inflate, lookup, entry}, 3),
        fixture_stack(p, (uint32_t[]){fault, clock, entry}, 3),
        fixture_stack(p, (uint32_t[]){code, python, lookup, entry}, 4),
        fixture_stack(p, (uint32_t[]){lost, entry}, 2),
        fixture_stack(p, &startup, 1),
        PROF_NONE,
    };
    if (has_samples)
        add_samples(p, stacks);
    CHECK_OK(prof_profile_status(p));
    return p;
}

struct prof_profile *fixture_everything(void)
{
    return make(true);
}

struct prof_profile *fixture_without_samples(void)
{
    return make(false);
}

/* ---- comparing ---- */

#define CHECK_SAME(field) CHECK_EQ(a->field, b->field)
#define CHECK_SAME_TEXT(field)                                                 \
    CHECK_STR(                                                                 \
        prof_profile_text(actual, a->field),                                   \
        prof_profile_text(wanted, b->field))

static void check_line(
    const struct prof_profile *actual, const struct prof_profile *wanted,
    uint32_t actual_id, uint32_t wanted_id)
{
    const struct prof_line *a = prof_profile_line(actual, actual_id);
    const struct prof_line *b = prof_profile_line(wanted, wanted_id);
    CHECK_SAME_TEXT(function);
    CHECK_SAME_TEXT(file);
    CHECK_SAME(line);
    CHECK_SAME(column);
    CHECK_SAME(is_inlined);
}

static void check_frame(
    const struct prof_profile *actual, const struct prof_profile *wanted,
    uint32_t id)
{
    const struct prof_frame *a = prof_profile_frame(actual, id);
    const struct prof_frame *b = prof_profile_frame(wanted, id);
    CHECK_SAME(kind);
    CHECK_SAME(module);
    CHECK_SAME_TEXT(name);
    CHECK_SAME(offset);
    CHECK_SAME(line_count);
    for (uint32_t i = 0; i < a->line_count; i++)
        check_line(actual, wanted, a->first_line + i, b->first_line + i);
}

static void check_process(
    const struct prof_profile *actual, const struct prof_profile *wanted,
    uint32_t id)
{
    const struct prof_process *a = prof_profile_process(actual, id);
    const struct prof_process *b = prof_profile_process(wanted, id);
    CHECK_SAME(pid);
    CHECK_SAME(parent_pid);
    CHECK_SAME_TEXT(name);
    CHECK_SAME_TEXT(path);
    CHECK_SAME(start_ns);
    CHECK_SAME(end_ns);
    CHECK_SAME(cpu_ns);
}

static void check_origin(
    const struct prof_profile *actual, const struct prof_profile *wanted)
{
    const struct prof_origin *a = prof_profile_read_origin(actual);
    const struct prof_origin *b = prof_profile_read_origin(wanted);
    CHECK_SAME_TEXT(command_line);
    CHECK_SAME_TEXT(hostname);
    CHECK_SAME_TEXT(os_release);
    CHECK_SAME_TEXT(architecture);
    CHECK_SAME_TEXT(clock);
    CHECK_SAME(period_ns);
    CHECK_SAME(start_unix_ns);
    CHECK_SAME(start_ns);
    CHECK_SAME(end_ns);
    CHECK_SAME(cpu_ns);
    CHECK_SAME(cpu_count);
    for (int i = 0; i < PROF_LOSS_COUNT; i++)
        CHECK_EQ(prof_profile_loss(actual, i), prof_profile_loss(wanted, i));
}

/* Rows without padding or pointers compare as bytes. */
#define CHECK_TABLE(name, type)                                                \
    do {                                                                       \
        uint32_t count = prof_profile_##name##_count(actual);                  \
        CHECK_EQ(count, prof_profile_##name##_count(wanted));                  \
        for (uint32_t id = 0; id < count; id++)                                \
            assert_memory_equal(                                               \
                prof_profile_##name(actual, id),                               \
                prof_profile_##name(wanted, id), sizeof(type));                \
    } while (0)

void fixture_check_equal(
    const struct prof_profile *actual, const struct prof_profile *wanted)
{
    CHECK_EQ(
        prof_profile_string_count(actual), prof_profile_string_count(wanted));
    for (uint32_t id = 0; id < prof_profile_string_count(wanted); id++)
        CHECK_STR(prof_profile_text(actual, id), prof_profile_text(wanted, id));
    CHECK_TABLE(value_type, struct prof_value_type);
    CHECK_TABLE(module, struct prof_module);
    CHECK_TABLE(mapping, struct prof_mapping);
    CHECK_TABLE(thread, struct prof_thread);
    CHECK_TABLE(stack, struct prof_stack);
    CHECK_TABLE(note, struct prof_note);
    CHECK_TABLE(reading, struct prof_reading);
    CHECK_EQ(
        prof_profile_process_count(actual), prof_profile_process_count(wanted));
    for (uint32_t id = 0; id < prof_profile_process_count(wanted); id++)
        check_process(actual, wanted, id);
    CHECK_EQ(
        prof_profile_frame_count(actual), prof_profile_frame_count(wanted));
    for (uint32_t id = 0; id < prof_profile_frame_count(wanted); id++)
        check_frame(actual, wanted, id);
    CHECK_EQ(
        prof_profile_sample_count(actual), prof_profile_sample_count(wanted));
    for (uint32_t id = 0; id < prof_profile_sample_count(wanted); id++) {
        const struct prof_sample *a = prof_profile_sample(actual, id);
        const struct prof_sample *b = prof_profile_sample(wanted, id);
        CHECK_SAME(time_ns);
        CHECK_SAME(thread);
        CHECK_SAME(stack);
        CHECK_SAME(state);
        CHECK_SAME(flags);
        for (int i = 0; i < PROF_VALUE_TYPES; i++)
            CHECK_SAME(values[i]);
    }
    check_origin(actual, wanted);
}

/* ---- rendering ---- */

void fixture_add_line(struct fixture_lines *lines, const char *line)
{
    if (lines->count == lines->capacity) {
        lines->capacity = lines->capacity ? lines->capacity * 2 : 64;
        lines->lines =
            realloc(lines->lines, lines->capacity * sizeof *lines->lines);
        CHECK(lines->lines != NULL);
    }
    lines->lines[lines->count] = strdup(line);
    CHECK(lines->lines[lines->count++] != NULL);
}

static int compare_lines(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

char *fixture_join_sorted(struct fixture_lines *lines)
{
    size_t bytes = 1;
    if (lines->count > 0)
        qsort(lines->lines, lines->count, sizeof *lines->lines, compare_lines);
    for (size_t i = 0; i < lines->count; i++)
        bytes += strlen(lines->lines[i]) + 1;
    char *text = malloc(bytes), *at = text;
    CHECK(text != NULL);
    for (size_t i = 0; i < lines->count; i++) {
        at = stpcpy(stpcpy(at, lines->lines[i]), "\n");
        free(lines->lines[i]);
    }
    *at = '\0';
    free(lines->lines);
    *lines = (struct fixture_lines){0};
    return text;
}

static void print_frame(
    FILE *out, const struct prof_profile *profile, uint32_t id)
{
    const struct prof_frame *frame = prof_profile_frame(profile, id);
    if (frame->kind != PROF_FRAME_NATIVE) {
        (void)fprintf(out, " {%s}", prof_profile_text(profile, frame->name));
        return;
    }
    const struct prof_module *module =
        prof_profile_module(profile, frame->module);
    const char *path = prof_profile_text(profile, module->path);
    if (module->kind == PROF_MODULE_ANONYMOUS)
        path = strcmp(path, "unknown") == 0 ? "[unknown]" : "anon";
    (void)fprintf(out, " %s+%llx", path, (unsigned long long)frame->offset);
}

char *fixture_render(const struct prof_profile *profile, uint32_t value)
{
    struct fixture_lines lines = {0};
    uint32_t count = prof_profile_sample_count(profile);
    for (uint32_t id = 0; id < count; id++) {
        const struct prof_sample *sample = prof_profile_sample(profile, id);
        char *line = NULL;
        size_t bytes;
        FILE *out = open_memstream(&line, &bytes);
        CHECK(out != NULL);
        (void)fprintf(
            out, "%llu %llu", (unsigned long long)sample->time_ns,
            (unsigned long long)sample->values[value]);
        for (uint32_t stack = sample->stack; stack != PROF_NONE;) {
            const struct prof_stack *row = prof_profile_stack(profile, stack);
            print_frame(out, profile, row->frame);
            stack = row->parent;
        }
        (void)fclose(out);
        fixture_add_line(&lines, line);
        free(line);
    }
    return fixture_join_sorted(&lines);
}

void fixture_check_lines(const char *actual, const char *wanted)
{
    while (*actual != '\0' || *wanted != '\0') {
        size_t a = strcspn(actual, "\n"), w = strcspn(wanted, "\n");
        if (a != w || memcmp(actual, wanted, a) != 0) {
            print_message(
                "actual: %.*s\nwanted: %.*s\n", (int)a, actual, (int)w, wanted);
            CHECK(!"lines differ");
        }
        actual += a + (actual[a] == '\n');
        wanted += w + (wanted[w] == '\n');
    }
}

/* ---- files ---- */

static char folder[128];

static void remove_files(void)
{
    char command[160];
    if (folder[0] == '\0')
        return;
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    folder[0] = '\0';
    (void)!system(command);
}

const char *fixture_path(const char *name)
{
    static char paths[8][256];
    static unsigned next;
    char *path = paths[next++ % 8];
    if (folder[0] == '\0') {
        const char *base = getenv("TMPDIR");
        (void)snprintf(
            folder, sizeof folder, "%s/wf-recording-XXXXXX",
            base && strlen(base) < 90 ? base : "/tmp");
        CHECK(mkdtemp(folder) != NULL);
        atexit(remove_files);
    }
    (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

unsigned char *fixture_read(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL);
    CHECK_OK(fseek(file, 0, SEEK_END));
    *bytes = (size_t)ftell(file);
    rewind(file);
    unsigned char *data = malloc(*bytes + 1);
    CHECK(data != NULL);
    CHECK_EQ(fread(data, 1, *bytes, file), *bytes);
    (void)fclose(file);
    return data;
}

void fixture_write(const char *path, const void *data, size_t bytes)
{
    FILE *file = fopen(path, "wb");
    CHECK(file != NULL);
    CHECK(bytes == 0 || fwrite(data, 1, bytes, file) == bytes);
    CHECK_OK(fclose(file));
}
