/* Modules and their indexes: when one is made, believed, and replaced. */
#include "tests/harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "symbolizer/builder.h"
#include "symbolizer/image_open.h"
#include "symbolizer/module.h"
#include "symbolizer/survey.h"
#include "symbolizer/symbolizer.h"
#include "tests/symbolizer/cache_folder.h"
#include "tests/symbolizer/fixture.h"
#include "tests/symbolizer/idle_threads.h"

/* Files named by their content, so that a test may change them. */
struct place {
    char *folder;
    struct sym_cache cache;
    char path[64]; /* of a copy of a fixture */
};

static const char *const no_dirs[] = {NULL};

static void write_file(const char *path, const void *bytes, size_t count)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, bytes, count), count);
    (void)close(fd);
}

static struct place place_with(const char *fixture)
{
    struct place place = {
        .folder = cache_folder_make(), .path = "/tmp/watchfire-module-XXXXXX"};
    int fd = mkstemp(place.path);
    CHECK(fd >= 0);
    CHECK_OK(fchmod(fd, 0755));
    (void)close(fd);
    size_t bytes;
    uint8_t *content = fixture_read(fixture, &bytes);
    write_file(place.path, content, bytes);
    free(content);
    CHECK_OK(sym_cache_open(&place.cache, place.folder, 1 << 20, NULL));
    return place;
}

static void leave(struct place *place)
{
    sym_cache_close(&place->cache);
    cache_folder_remove(place->folder);
    (void)unlink(place->path);
}

static enum status make(struct place *place)
{
    struct sym_source source = {.path = place->path};
    return sym_builder_make(&place->cache, no_dirs, &source, NULL);
}

static struct sym_symbolizer *symbolizer_of(const struct place *place)
{
    struct sym_options options = {
        .debug_dirs = no_dirs, .cache_folder = place->folder};
    struct sym_symbolizer *symbolizer = sym_symbolizer_create(&options);
    assert_non_null(symbolizer);
    return symbolizer;
}

static struct sym_module *open_module(
    const struct place *place, struct sym_symbolizer *symbolizer)
{
    struct sym_source source = {.path = place->path};
    struct sym_module *module = NULL;
    CHECK_OK(sym_module_open(symbolizer, &source, &module, NULL));
    return module;
}

/* The answer is right; whether an index gave it. */
static bool is_answered_by_index(const struct place *place)
{
    struct sym_symbolizer *symbolizer = symbolizer_of(place);
    struct sym_module *module = open_module(place, symbolizer);
    uint64_t vaddr = fixture_symbol("inline_gcc_dwarf5", "outer");
    struct sym_frames frames = fixture_lookup(module, vaddr);
    CHECK(frames.count > 0);
    CHECK_STR(frames.rows[frames.count - 1].function, "outer");
    CHECK(frames.rows[frames.count - 1].line > 0);
    bool is_answered = module->index.is_open && !module->index.index.is_damaged;
    CHECK(is_answered == (module->info == NULL));
    sym_symbolizer_destroy(symbolizer);
    return is_answered;
}

static size_t index_count(const struct place *place)
{
    return cache_folder_count(place->folder, ".index");
}

/* Of whoever waits for what is made by idle processors. */
static bool glance(int count)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    idle_threads_hurry();
    (void)nanosleep(&pause, NULL);
    return count < 50000;
}

/* The thread clears away behind it, when it gets a processor. */
static bool is_cleared(const char *folder, const char *suffix)
{
    for (int i = 0; cache_folder_count(folder, suffix) > 0; i++) {
        if (!glance(i))
            return false;
    }
    return true;
}

static bool wait_for_index(const struct place *place)
{
    for (int i = 0; index_count(place) == 0 && glance(i); i++)
        continue;
    return index_count(place) == 1;
}

TEST(a_module_that_was_read_gets_an_index)
{
    struct place place = place_with("inline_gcc_dwarf5");
    struct sym_symbolizer *symbolizer = symbolizer_of(&place);
    struct sym_module *module = open_module(&place, symbolizer);
    uint64_t vaddr = fixture_symbol("inline_gcc_dwarf5", "outer");
    CHECK(fixture_lookup(module, vaddr).count > 0);
    CHECK(module->info != NULL);
    CHECK(wait_for_index(&place));
    sym_symbolizer_destroy(symbolizer);
    CHECK(is_answered_by_index(&place));
    CHECK_EQ(cache_folder_count(place.folder, ""), 1);
    leave(&place);
}

TEST(a_module_that_is_foreseen_gets_an_index)
{
    struct place place = place_with("inline_gcc_dwarf5");
    struct sym_symbolizer *symbolizer = symbolizer_of(&place);
    struct sym_source source = {.path = place.path};
    sym_symbolizer_foresee(symbolizer, &source);
    CHECK(wait_for_index(&place));
    sym_symbolizer_destroy(symbolizer);
    CHECK(is_answered_by_index(&place));
    leave(&place);
}

TEST(names_alone_neither_read_nor_make_an_index)
{
    struct place place = place_with("inline_gcc_dwarf5");
    CHECK_OK(make(&place));
    struct sym_options options = {
        .debug_dirs = no_dirs,
        .cache_folder = place.folder,
        .names_only = true};
    struct sym_symbolizer *symbolizer = sym_symbolizer_create(&options);
    struct sym_module *module = open_module(&place, symbolizer);
    uint64_t vaddr = fixture_symbol("inline_gcc_dwarf5", "outer");
    CHECK_EQ(fixture_lookup(module, vaddr).rows[0].line, 0);
    CHECK(!module->index.is_open);
    sym_symbolizer_destroy(symbolizer);
    leave(&place);
}

/* What a symbolizer that demangles nothing says of a C++ function. */
static void check_raw_name(const struct place *place, const char *name)
{
    struct sym_options options = {
        .debug_dirs = no_dirs,
        .cache_folder = place->folder,
        .raw_names = true};
    struct sym_symbolizer *symbolizer = sym_symbolizer_create(&options);
    assert_non_null(symbolizer);
    struct sym_module *module = open_module(place, symbolizer);
    struct sym_frames frames =
        fixture_lookup(module, fixture_symbol("constructors", name));
    CHECK(frames.count > 0);
    CHECK_STR(frames.rows[frames.count - 1].function, name);
    sym_symbolizer_destroy(symbolizer);
}

TEST(raw_names_are_raw_with_an_index_and_without)
{
    if (!fixture_exists("constructors"))
        return;
    struct place place = place_with("constructors");
    check_raw_name(&place, "_ZN5shapeC1Ei");
    CHECK_OK(make(&place));
    check_raw_name(&place, "_ZN5shapeC1Ei");
    leave(&place);
}

TEST(a_folder_that_cannot_be_used_changes_no_answer)
{
    static const char *const folders[] = {"/proc/no/such", "/dev/null"};
    for (size_t i = 0; i < 2; i++) {
        struct sym_options options = {
            .debug_dirs = no_dirs, .cache_folder = folders[i]};
        struct sym_symbolizer *symbolizer = sym_symbolizer_create(&options);
        assert_non_null(symbolizer);
        struct sym_module *module =
            fixture_open(symbolizer, "inline_gcc_dwarf5");
        uint64_t vaddr = fixture_symbol("inline_gcc_dwarf5", "outer");
        CHECK(fixture_lookup(module, vaddr).count > 0);
        CHECK(module->shared->cache == NULL);
        sym_symbolizer_destroy(symbolizer);
    }
}

/* ---- what is not kept ---- */

TEST(a_module_without_dwarf_gets_no_index)
{
    struct place place = place_with("stripped");
    CHECK_EQ(make(&place), STATUS_UNSUPPORTED);
    CHECK_EQ(cache_folder_count(place.folder, ""), 0);
    leave(&place);
}

TEST(answers_of_damaged_debug_information_are_not_kept)
{
    struct place place = place_with("inline_gcc_dwarf5");
    size_t bytes, kept = 0;
    uint8_t *content = fixture_read("inline_gcc_dwarf5", &bytes);
    GElf_Shdr header;
    struct sym_image image;
    CHECK_OK(sym_image_open(&image, place.path, NULL));
    assert_non_null(sym_image_section(&image, ".debug_line", &header));
    sym_image_close(&image);
    content[header.sh_offset + 4] = 99; /* the version */
    write_file(place.path, content, bytes);
    CHECK_EQ(make(&place), STATUS_UNSUPPORTED);
    kept = cache_folder_count(place.folder, "");
    CHECK_EQ(kept, 0);
    free(content);
    leave(&place);
}

TEST(answers_that_miss_a_split_file_are_not_kept)
{
    if (!fixture_exists("split_lost/inline"))
        return;
    struct place place = place_with("split_lost/inline");
    CHECK_EQ(make(&place), STATUS_UNSUPPORTED);
    CHECK_EQ(cache_folder_count(place.folder, ""), 0);
    leave(&place);
}

TEST(a_cancelled_index_leaves_nothing)
{
    struct place place = place_with("inline_gcc_dwarf5");
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_survey_progress progress = {.is_cancelled = true};
    struct sym_index_writer writer;
    CHECK_EQ(
        sym_survey_module(
            open_module(&place, symbolizer), &writer, &progress, NULL),
        STATUS_LIMIT);
    sym_index_writer_fini(&writer);
    sym_symbolizer_destroy(symbolizer);
    leave(&place);
}

/* ---- in a process of its own ---- */

/* A program of 20 MB of debug information. */
static const char large_program[] = "/usr/bin/python3.11d";

static size_t peak_bytes(int who)
{
    struct rusage usage;
    CHECK_OK(getrusage(who, &usage));
    return (size_t)usage.ru_maxrss * 1024;
}

static void foresee_large_program(struct sym_symbolizer *symbolizer)
{
    struct sym_source source = {.path = large_program};
    while (!sym_symbolizer_foresee(symbolizer, &source))
        idle_threads_hurry();
}

static struct sym_symbolizer *symbolizer_with(const char *folder)
{
    struct sym_options options = {.cache_folder = folder};
    struct sym_symbolizer *symbolizer = sym_symbolizer_create(&options);
    assert_non_null(symbolizer);
    return symbolizer;
}

TEST(the_memory_that_an_index_takes_is_not_ours)
{
    if (access(large_program, R_OK) != 0)
        return;
    struct place place = {.folder = cache_folder_make()};
    struct sym_symbolizer *symbolizer = symbolizer_with(place.folder);
    size_t before = peak_bytes(RUSAGE_SELF);
    foresee_large_program(symbolizer);
    CHECK(wait_for_index(&place));
    size_t grown = peak_bytes(RUSAGE_SELF) - before;
    sym_symbolizer_destroy(symbolizer); /* and the child is reaped */
    CHECK(grown * 4 < peak_bytes(RUSAGE_CHILDREN));
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
    cache_folder_remove(place.folder);
}

/* Some child of ours, by any of our threads; 0: there is none. */
static pid_t some_child(void)
{
    long pid = 0;
    DIR *threads = opendir("/proc/self/task");
    assert_non_null(threads);
    for (struct dirent *row; pid == 0 && (row = readdir(threads)) != NULL;) {
        char path[300];
        (void)snprintf(
            path, sizeof path, "/proc/self/task/%s/children", row->d_name);
        FILE *children = fopen(path, "re");
        if (children != NULL && fscanf(children, "%ld", &pid) != 1)
            pid = 0;
        if (children != NULL)
            (void)fclose(children);
    }
    (void)closedir(threads);
    return (pid_t)pid;
}

/* Have an index made, and stop the process that makes it. False when it was
   done before it was seen. */
static bool stop_maker(
    const struct place *place, struct sym_symbolizer *symbolizer)
{
    foresee_large_program(symbolizer);
    for (;;) {
        idle_threads_hurry();
        pid_t child = some_child();
        if (child > 0 && kill(child, SIGSTOP) == 0)
            break;
        if (index_count(place) > 0)
            return false;
    }
    return cache_folder_count(place->folder, ".partial") == 1;
}

/* Stopped, it gets no processor, so it is not waited for. */
TEST(a_process_that_is_not_waited_for_leaves_nothing)
{
    if (access(large_program, R_OK) != 0)
        return;
    struct place place = {.folder = cache_folder_make()};
    struct sym_symbolizer *symbolizer = symbolizer_with(place.folder);
    for (int tries = 0; !stop_maker(&place, symbolizer); tries++) {
        CHECK(tries < 100);
        sym_symbolizer_destroy(symbolizer);
        cache_folder_remove(place.folder);
        place.folder = cache_folder_make();
        symbolizer = symbolizer_with(place.folder);
    }
    sym_symbolizer_destroy(symbolizer);
    CHECK_EQ(cache_folder_count(place.folder, ""), 0);
    /* It was killed; where it gets no processor for that, it is for us to reap,
       as whoever is the parent of orphans would. */
    int status = SIGKILL;
    pid_t left = 0;
    for (int i = 0; (left = waitpid(-1, &status, WNOHANG)) == 0 && glance(i);
         i++)
        continue;
    CHECK(left == -1 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
    CHECK_EQ(cache_folder_count(place.folder, ""), 0);
    cache_folder_remove(place.folder);
}

/* ---- what is believed ---- */

static void change_byte(const char *path, off_t offset)
{
    uint8_t byte = 0;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_EQ(pread(fd, &byte, 1, offset), 1);
    byte ^= 0x20;
    CHECK_EQ(pwrite(fd, &byte, 1, offset), 1);
    (void)close(fd);
}

TEST(a_damaged_index_is_replaced)
{
    struct place place = place_with("inline_gcc_dwarf5");
    CHECK_OK(make(&place));
    char *path = cache_folder_file(place.folder, ".index");
    struct stat identity;
    CHECK_OK(stat(path, &identity));
    const off_t offsets[] = {
        identity.st_size - 1, 0, 9, 20, sizeof(struct sym_index_header) + 1};
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        CHECK(is_answered_by_index(&place));
        change_byte(path, offsets[i]);
        CHECK(!is_answered_by_index(&place));
        CHECK_OK(make(&place)); /* unless the thread did it already */
    }
    CHECK_OK(truncate(path, 100));
    CHECK(!is_answered_by_index(&place));
    CHECK_OK(make(&place));
    CHECK(is_answered_by_index(&place));
    free(path);
    leave(&place);
}

TEST(a_build_id_alone_is_not_believed)
{
    struct place place = place_with("inline_gcc_dwarf5");
    CHECK_OK(make(&place));
    CHECK(is_answered_by_index(&place));
    uint64_t code = fixture_offset(
        "inline_gcc_dwarf5", fixture_symbol("inline_gcc_dwarf5", "outer"));
    change_byte(place.path, (off_t)code);
    CHECK(!is_answered_by_index(&place));
    leave(&place);
}

TEST(without_a_build_id_a_file_is_known_by_its_inode_and_time)
{
    struct place place = place_with("no_id");
    struct sym_fingerprint first, second;
    struct sym_image image;
    CHECK_OK(sym_image_open(&image, place.path, NULL));
    CHECK(sym_fingerprint_of(&image, &first));
    CHECK(sym_fingerprint_of(&image, &second));
    CHECK_STR(first.name, second.name);
    sym_image_close(&image);
    const struct timespec times[] = {{.tv_sec = 5}, {.tv_sec = 6}};
    CHECK_OK(utimensat(AT_FDCWD, place.path, times, 0));
    CHECK_OK(sym_image_open(&image, place.path, NULL));
    CHECK(sym_fingerprint_of(&image, &second));
    CHECK(strcmp(first.name, second.name) != 0);
    sym_image_close(&image);
    leave(&place);
}

TEST(an_image_from_memory_has_no_index)
{
    struct place place = place_with("inline_gcc_dwarf5");
    size_t bytes;
    uint8_t *content = fixture_read("inline_gcc_dwarf5", &bytes);
    CHECK_OK(make(&place));
    struct sym_symbolizer *symbolizer = symbolizer_of(&place);
    struct sym_source source = {
        .path = place.path, .image = content, .image_bytes = bytes};
    struct sym_module *module = NULL;
    CHECK_OK(sym_module_open(symbolizer, &source, &module, NULL));
    CHECK(
        fixture_lookup(module, fixture_symbol("inline_gcc_dwarf5", "outer"))
            .count > 0);
    CHECK(!module->index.is_open);
    sym_symbolizer_destroy(symbolizer);
    free(content);
    leave(&place);
}

/* ---- two at once ---- */

enum { BUILDERS = 4, ROUNDS = 10 };

/* Others may be reading what is removed here, or be about to. */
static _Noreturn void build_and_remove(
    struct place *place, const char *path, int seed)
{
    for (int round = 0; round < ROUNDS; round++) {
        if (make(place) != STATUS_OK)
            _exit(1);
        if ((round + seed) % 3 == 0)
            (void)unlink(path);
    }
    _exit(0);
}

TEST(processes_that_build_at_once_do_each_other_no_harm)
{
    struct place place = place_with("inline_gcc_dwarf5");
    CHECK_OK(make(&place));
    char *path = cache_folder_file(place.folder, ".index");
    pid_t builders[BUILDERS];
    for (int i = 0; i < BUILDERS; i++) {
        builders[i] = fork();
        if (builders[i] == 0)
            build_and_remove(&place, path, i);
    }
    for (int i = 0; i < BUILDERS; i++)
        (void)is_answered_by_index(&place);
    for (int i = 0; i < BUILDERS; i++) {
        int status = -1;
        CHECK_EQ(waitpid(builders[i], &status, 0), builders[i]);
        CHECK_EQ(status, 0);
    }
    CHECK_OK(make(&place));
    CHECK(is_answered_by_index(&place));
    CHECK(is_cleared(place.folder, ".partial")); /* by our own threads, too */
    free(path);
    leave(&place);
}
